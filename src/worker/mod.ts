export { type ReadLogOptions, readLog } from './log-reader.ts';
export type { StoredLine } from './log-segments.ts';
export { FileLogStore, type LogStoreLimits, type LogStoreOptions } from './log-store.ts';
export { type HostMemory, MemoryWatch, type MemoryWatchOptions } from './memory-watch.ts';
export { procMeminfo } from './proc-meminfo.ts';
export type {
  CredentialIssuer,
  DeviceProvider,
  IssuedCredentials,
  LogLine,
  LogSink,
  OpenDevice,
  RuntimeApiFactory,
} from './types.ts';
export { Worker, type WorkerOptions } from './worker.ts';
