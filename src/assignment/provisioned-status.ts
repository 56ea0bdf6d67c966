import type { ProvisionFailure, VersionState } from './state.ts';

const reasons: Readonly<Record<ProvisionFailure, string>> = {
  init: 'FUNCTION_ERROR_INIT_FAILURE',
  start: 'INTERNAL_ERROR',
};

/** In the API's own words for the status. */
export interface ProvisionedStatus {
  readonly requested: number;
  readonly allocated: number;
  readonly available: number;
  readonly status: 'READY' | 'IN_PROGRESS' | 'FAILED';
  /** Of what failed. */
  readonly statusReason?: string;
}

export function provisionedStatus(version: VersionState | undefined): ProvisionedStatus {
  const requested = version?.provisionedTarget ?? 0;
  const allocated = version?.provisionedUp ?? 0;
  const available = Math.max(0, allocated - (version?.provisionedInFlight ?? 0));
  if (allocated >= requested) return { requested, allocated, available, status: 'READY' };
  const failure = version?.provisionFailure;
  if (!failure) return { requested, allocated, available, status: 'IN_PROGRESS' };
  const statusReason = reasons[failure];
  return { requested, allocated, available, status: 'FAILED', statusReason };
}
