export { RuntimeApi } from './runtime-api.ts';
export type {
  InitOutcome,
  Invocation,
  PlatformEvent,
  ResponseSink,
  RuntimeIdentity,
  RuntimeOutcome,
  RuntimeSandbox,
  SandboxRuntimeApi,
  ShutdownReason,
  TelemetryEvent,
} from './types.ts';
