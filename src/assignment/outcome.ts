import { SluiceError } from '../base/mod.ts';
import type { RefusalReason } from './state.ts';
import type { InvokeOutcome, SandboxAnswer, StartTimings } from './types.ts';

const warm: StartTimings = { deviceMs: 0, sandboxMs: 0, initMs: 0, bytesFetched: 0 };

/** Puts a sandbox's answer together with what the assignment knows of its start. */
export function outcomeOf(
  answer: SandboxAnswer,
  lease: { executedVersion: string; leaseMs: number; start: StartTimings | undefined },
): InvokeOutcome {
  const { durationMs, ...given } = answer;
  const { executedVersion, leaseMs, start } = lease;
  const coldStart = start !== undefined;
  const timings = { ...(start ?? warm), coldStart, leaseMs, durationMs };
  return { ...given, executedVersion, timings };
}

/** What a refused invoke rejects with; `data.reason` is one that the API's 429 knows. */
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
