export { RuntimeApi } from './runtime-api.ts';
export type {
  InitOutcome,
  ResponseSink,
  RuntimeEvent,
  RuntimeIdentity,
  RuntimeOutcome,
} from './types.ts';
