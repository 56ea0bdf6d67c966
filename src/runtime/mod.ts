export { RuntimeApi } from './runtime-api.ts';
export type {
  InitOutcome,
  PlatformEvent,
  ResponseSink,
  RuntimeEvent,
  RuntimeIdentity,
  RuntimeOutcome,
  RuntimeSandbox,
  ShutdownReason,
  TelemetryEvent,
} from './types.ts';
