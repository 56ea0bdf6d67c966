import type { ConcurrencyAllowance } from '../assignment/mod.ts';
import { limits, SluiceError } from '../base/mod.ts';
import type { Catalogue } from './catalogue.ts';
import type { Target } from './targets.ts';

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
