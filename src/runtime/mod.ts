export { RuntimeApi } from './runtime-api.ts';
export type {
  InitOutcome,
  Invocation,
  ResponseSink,
  RuntimeOutcome,
  RuntimeSandbox,
  SandboxRuntimeApi,
  ShutdownReason,
  TelemetryEvent,
} from './types.ts';
