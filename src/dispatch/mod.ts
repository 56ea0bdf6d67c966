export { FunctionInvoker } from './function-invoker.ts';
export type { InvokeOutcome, InvokeRequest, Invoker, ResponseSink } from './invoker.ts';
export { traceIdOf } from './trace-id.ts';
