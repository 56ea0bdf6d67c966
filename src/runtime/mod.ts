export { RuntimeApi } from './runtime-api.ts';
export type { InitOutcome, ResponseSink, RuntimeEvent, RuntimeOutcome } from './types.ts';
