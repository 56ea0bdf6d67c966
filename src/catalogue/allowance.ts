import { limits, SluiceError } from '../base/mod.ts';
import type { Catalogue } from './catalogue.ts';
import type { Target } from './targets.ts';

/** How many invokes of the function may run at once, and what the account has left. */
export interface ConcurrencyAllowance {
  /** Of the whole account. */
  readonly account: number;
  /** What the account's functions have set aside for themselves. */
  readonly reservedTotal: number;
  /** This function's own reservation; without one it draws on the unreserved rest. */
  readonly reserved?: number;
}

/**
 * The concurrency in force for a target. Throws `CONCURRENCY_LIMIT_EXCEEDED` where the function is
 * switched off.
 */
export async function allowanceOf(
  { cache }: Catalogue,
  { record }: Target,
): Promise<ConcurrencyAllowance> {
  const { reservedConcurrency: reserved } = record;
  if (reserved === 0) {
    throw new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', `${record.name}: switched off`, {
      data: { reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
    });
  }
  const { reservedConcurrency: reservedTotal } = await cache.totals(record.accountId);
  const account = limits.lambda.accountConcurrency;
  return reserved === undefined ? { account, reservedTotal } : { account, reservedTotal, reserved };
}
