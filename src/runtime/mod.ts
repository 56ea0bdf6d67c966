export { RuntimeApi } from './runtime-api.ts';
export type {
  InitOutcome,
  PlatformEvent,
  ResponseSink,
  RuntimeEvent,
  RuntimeIdentity,
  RuntimeOutcome,
  RuntimeSandbox,
  SandboxRuntimeApi,
  ShutdownReason,
  TelemetryEvent,
} from './types.ts';
