export {
  type AssignmentOptions,
  type AssignmentStats,
  defaultAssignmentLimits,
} from './options.ts';
export type { ProvisionedStatus } from './provisioned-status.ts';
export { AssignmentService } from './service.ts';
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
export { type FunctionUsage, UsageLedger, type UsedInvoke } from './usage.ts';
export { readUsage, UsageFile } from './usage-file.ts';
