export type { Invocation, ResponseSink } from '../runtime/mod.ts';
export type { InvokeOutcome } from '../worker/mod.ts';
export {
  Dispatcher,
  type DispatcherOptions,
  type Leases,
  type WorkerClient,
  type WorkerDirectory,
} from './dispatcher.ts';
export type { InvokeCall, Invoker } from './invoker.ts';
export { InvokesUnderWay } from './invokes-under-way.ts';
export { type EventFacts, prepareInvoke } from './prepare-invoke.ts';
export { RegionInvoker, type VersionKeeper } from './region-invoker.ts';
export { traceIdOf } from './trace-id.ts';
export { type FunctionUsage, UsageLedger, type UsedInvoke } from './usage.ts';
export { readUsage, UsageFile } from './usage-file.ts';
export { VersionBook } from './version-book.ts';
