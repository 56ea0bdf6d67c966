export { DiskPromises } from './disk-promises.ts';
export { type ReadLogOptions, readLog } from './log-reader.ts';
export type { StoredLine } from './log-segments.ts';
export { FileLogStore, type LogStoreLimits, type LogStoreOptions } from './log-store.ts';
export { type HostMemory, MemoryWatch, type MemoryWatchOptions } from './memory-watch.ts';
export { procMeminfo } from './proc-meminfo.ts';
export type { SandboxTemplate, TemplateSource } from './template.ts';
export type {
  CredentialIssuer,
  DeviceProvider,
  InvokeOutcome,
  IssuedCredentials,
  LogLine,
  LogSink,
  OpenDevice,
  RuntimeApiFactory,
  StartTimings,
} from './types.ts';
export { Worker, type WorkerOptions } from './worker.ts';
