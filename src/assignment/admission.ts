import type { RefusalReason } from './events.ts';
import type { AssignmentState, FunctionCounts, SandboxRecord, VersionState } from './state.ts';
import { takeToken } from './token-bucket.ts';
import type { ConcurrencyAllowance, InvokePool } from './types.ts';

/** Lambda's own: this many requests a second for each unit of concurrency (contract 2.5). */
const requestsPerSecondPerUnit = 10;

export type Admission = { readonly pool: InvokePool } | { readonly refusal: RefusalReason };

const refused = (refusal: RefusalReason): Admission => ({ refusal });
const admitted = {
  provisioned: { pool: 'provisioned' },
  reserved: { pool: 'reserved' },
  unreserved: { pool: 'unreserved' },
} as const satisfies Record<InvokePool, Admission>;

/**
 * Whether the limits let one more invoke of the version in, and on whose account it counts:
 * provisioned sandboxes that are up first, then what the function's reservation leaves beside them
 * or, without one, what the account has left unreserved (contract 2.11). Notes the function's limit
 * in force.
 */
export function admit(
  state: AssignmentState,
  version: VersionState,
  allowance: ConcurrencyAllowance,
): Admission {
  const { function: owner, account } = version;
  if (state.closing || !state.leading) return refused('closing');
  const { reserved } = allowance;
  const unreserved = Math.max(0, allowance.account - allowance.reservedTotal);
  owner.limit = reserved ?? unreserved + owner.provisioned;
  const provisioned = version.provisionedInFlight < version.provisionedUp;
  if (reserved !== undefined) {
    if (
      owner.inFlight >= reserved ||
      (!provisioned && atWorkOnDemand(owner) >= spare(version, reserved))
    ) {
      return refused('ReservedFunctionConcurrentInvocationLimitExceeded');
    }
  } else if (!provisioned && account.unreservedInFlight >= unreserved) {
    return refused('ConcurrentInvocationLimitExceeded');
  }
  // Bites only while a reservation is new and the others have not yet shrunk to what it left.
  if (account.inFlight >= allowance.account) return refused('ConcurrentInvocationLimitExceeded');
  const requestsPerSecond = requestsPerSecondPerUnit * owner.limit;
  if (!takeToken(owner.requests, requestsPerSecond, requestsPerSecond, state.nowMs)) {
    return refused(
      reserved === undefined
        ? 'FunctionInvocationRateLimitExceeded'
        : 'ReservedFunctionInvocationRateLimitExceeded',
    );
  }
  if (!lastIdle(version) && version.waiting.length >= state.limits.waitingPerVersion) {
    return refused('waiting');
  }
  if (provisioned) return admitted.provisioned;
  return reserved === undefined ? admitted.unreserved : admitted.reserved;
}

function atWorkOnDemand({ inFlight, provisionedInFlight }: FunctionCounts): number {
  return inFlight - provisionedInFlight;
}

/**
 * What a reservation leaves to sandboxes on demand: all but what is provisioned. A version whose
 * own provisioned sandboxes are not up, or never come up, may use their share meanwhile.
 */
function spare(version: VersionState, reserved: number): number {
  const { provisionedTarget, provisionedUp } = version;
  return reserved - version.function.provisioned + Math.max(0, provisionedTarget - provisionedUp);
}

/** The idle sandbox to lend next: a provisioned one, else the on-demand one that was used last. */
export function lastIdle(version: VersionState): SandboxRecord | undefined {
  return (version.idleProvisioned.last ?? version.idle.last)?.value;
}
