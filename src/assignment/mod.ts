export type { ProvisionedStatus } from './provisioned-status.ts';
export { AssignmentService } from './service.ts';
export {
  type AcquireRequest,
  type ConcurrencyAllowance,
  type InitializationType,
  type Lease,
  type LeaseOutcome,
  type LeaseRef,
  type LeaseVerdict,
  type SandboxReport,
  type StartOrder,
  type VersionRef,
  versionRef,
  type WorkerControl,
  type WorkerListener,
  type WorkerReport,
} from './types.ts';
