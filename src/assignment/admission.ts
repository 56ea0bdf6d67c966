import type { AssignmentState, InvokePool, RefusalReason, VersionRecord } from './state.ts';
import { takeToken } from './token-bucket.ts';
import type { ConcurrencyAllowance } from './types.ts';

/** Lambda's own: so many requests a second for each unit of concurrency (contract 2.5). */
const requestsPerSecondPerUnit = 10;

export type Admission = { readonly pool: InvokePool } | { readonly refusal: RefusalReason };

const refused = (refusal: RefusalReason): Admission => ({ refusal });

/**
 * Whether the limits let one more invoke of the version in, and on whose account it counts:
 * provisioned sandboxes that are up first, then the function's reservation or, without one, what
 * the account has left unreserved (contract 2.11). Notes the function's limit in force.
 */
export function admit(
  state: AssignmentState,
  version: VersionRecord,
  view: ConcurrencyAllowance,
  nowMs: number,
): Admission {
  const { function: owner, account } = version;
  if (state.closing) return refused('closing');
  const { reserved } = view;
  const unreserved = Math.max(0, view.account - view.reservedTotal);
  owner.limit = reserved ?? unreserved + owner.provisioned;
  const provisioned = version.provisionedInFlight < version.provisionedUp;
  if (reserved !== undefined) {
    if (owner.inFlight >= reserved) {
      return refused('ReservedFunctionConcurrentInvocationLimitExceeded');
    }
  } else if (!provisioned && account.unreservedInFlight >= unreserved) {
    return refused('ConcurrentInvocationLimitExceeded');
  }
  // Bites only while a reservation is new and the others have not yet shrunk to what it left.
  if (account.inFlight >= view.account) return refused('ConcurrentInvocationLimitExceeded');
  const requestsPerSecond = requestsPerSecondPerUnit * owner.limit;
  if (!takeToken(owner.requests, requestsPerSecond, requestsPerSecond, nowMs)) {
    return refused(
      reserved === undefined
        ? 'FunctionInvocationRateLimitExceeded'
        : 'ReservedFunctionInvocationRateLimitExceeded',
    );
  }
  if (!lastIdle(version) && version.waiting.length >= state.limits.waitingPerVersion) {
    return refused('waiting');
  }
  if (provisioned) return { pool: 'provisioned' };
  return { pool: reserved === undefined ? 'unreserved' : 'reserved' };
}

/** The idle sandbox to lend next: a provisioned one, else the on-demand one that was used last. */
export function lastIdle(version: VersionRecord) {
  return version.idleProvisioned.last ?? version.idle.last;
}
