export {
  type AssignmentOptions,
  AssignmentService,
  type AssignmentStats,
  defaultAssignmentLimits,
  type ProvisionedStatus,
} from './service.ts';
export type { AssignmentLimits } from './state.ts';
export type {
  ConcurrencyAllowance,
  ConcurrencyLimits,
  HostedSandbox,
  InitializationType,
  InvokeOutcome,
  InvokeRequest,
  InvokeTimings,
  ResponseSink,
  SandboxAnswer,
  SandboxHost,
  SandboxInvoke,
  SandboxTemplate,
  StartTimings,
} from './types.ts';
