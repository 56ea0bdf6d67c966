import type { VersionState } from './state.ts';

/** In the API's own words for the status. */
export interface ProvisionedStatus {
  readonly requested: number;
  readonly allocated: number;
  readonly available: number;
  readonly status: 'READY' | 'IN_PROGRESS' | 'FAILED';
}

export function provisionedStatus(version: VersionState | undefined): ProvisionedStatus {
  const requested = version?.provisionedTarget ?? 0;
  const allocated = version?.provisionedUp ?? 0;
  const available = Math.max(0, allocated - (version?.provisionedInFlight ?? 0));
  if (allocated >= requested) return { requested, allocated, available, status: 'READY' };
  const status = version?.provisionFailed ? 'FAILED' : 'IN_PROGRESS';
  return { requested, allocated, available, status };
}
