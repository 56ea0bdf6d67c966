import { SluiceError } from '../base/mod.ts';
import type { RefusalReason } from './events.ts';

/** What a refused request rejects with; `data.reason` is one that the API's 429 knows. */
export function refusalError(functionArn: string, reason: RefusalReason): SluiceError {
  switch (reason) {
    case 'ReservedFunctionConcurrentInvocationLimitExceeded':
    case 'ConcurrentInvocationLimitExceeded':
    case 'FunctionInvocationRateLimitExceeded':
    case 'ReservedFunctionInvocationRateLimitExceeded':
      return new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', `${functionArn}: Rate Exceeded.`, {
        data: { reason },
      });
    case 'closing':
      return new SluiceError('OVERLOADED', `${functionArn}: the region is shutting down`, {
        data: { limit: reason },
      });
    default:
      return new SluiceError(
        'START_LIMIT_EXCEEDED',
        `${functionArn}: no sandbox is free and the limit "${reason}" lets none start; try again`,
        { data: { reason: 'ConcurrentInvocationLimitExceeded', limit: reason } },
      );
  }
}
