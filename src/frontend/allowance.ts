import { limits } from '../base/mod.ts';
import { ApiError } from './api-error.ts';
import type { Target } from './lookup.ts';
import type { ConcurrencyAllowance } from './seams.ts';
import type { Services } from './services.ts';

/** The concurrency in force for a target. Throws where the function is switched off. */
export async function allowanceOf(
  services: Services,
  { record }: Target,
): Promise<ConcurrencyAllowance> {
  const { reservedConcurrency: reserved } = record;
  if (reserved === 0) {
    throw new ApiError('TooManyRequestsException', 'Rate Exceeded.', {
      reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
  }
  const { reservedConcurrency: reservedTotal } = await services.cache.totals(record.accountId);
  const account = limits.lambda.accountConcurrency;
  return reserved === undefined ? { account, reservedTotal } : { account, reservedTotal, reserved };
}
