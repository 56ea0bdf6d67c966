import { limits } from '../base/mod.ts';
import { destinationRecord, errorMessageOf } from './destination-record.ts';
import type {
  Delivery,
  EndingCondition,
  EventProgress,
  FunctionAnswer,
  StoredEvent,
} from './types.ts';

/** What the function's configuration says of its asynchronous invokes. */
export interface EventPolicy {
  /** Qualified, as destination records have it. */
  readonly functionArn: string;
  readonly maximumRetryAttempts: number;
  readonly maximumEventAgeMs: number;
  readonly onSuccess?: string | undefined;
  readonly onFailure?: string | undefined;
  /** Who chose them, by ARN. */
  readonly configuredBy?: string | undefined;
  readonly deadLetter?: string | undefined;
  readonly deadLetterConfiguredBy?: string | undefined;
}

/** How one attempt to run an event came out. */
export type EventResult =
  | ({ readonly kind: 'ok' } & FunctionAnswer)
  | ({ readonly kind: 'function-error' } & FunctionAnswer)
  /** No capacity, a limit, or a fault of ours: the event goes back and waits longer each time. */
  | { readonly kind: 'refused' }
  /** The function's reserved concurrency is zero. */
  | { readonly kind: 'switched-off' }
  | { readonly kind: 'deleted' };

export type Decision =
  | { readonly kind: 'again'; readonly progress: EventProgress }
  | { readonly kind: 'over'; readonly progress: EventProgress };

export interface RetryTimes {
  readonly retryDelaysMs: readonly number[];
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export const lambdaRetryTimes: RetryTimes = limits.queue;

/** Before an attempt: an event that has grown too old is not run any more. */
export function decideBefore(
  event: StoredEvent,
  policy: EventPolicy,
  nowMs: number,
): Decision | undefined {
  if (nowMs - event.receivedMs <= policy.maximumEventAgeMs) return undefined;
  return over(event, policy, 'EventAgeExceeded', event.lastAnswer, event.invokes, nowMs);
}

/** After an attempt (contract 2.10): over, or again and when. */
export function decideAfter(
  event: StoredEvent,
  result: EventResult,
  policy: EventPolicy,
  nowMs: number,
  times: RetryTimes,
): Decision {
  switch (result.kind) {
    case 'ok':
      return over(event, policy, 'Success', result, event.invokes + 1, nowMs);
    case 'switched-off':
      return over(event, policy, 'ZeroReservedConcurrency', undefined, event.invokes, nowMs);
    case 'deleted':
      return over(event, policy, 'FunctionDeleted', undefined, event.invokes, nowMs);
    case 'refused': {
      const delayMs = times.backoffMinMs * 2 ** Math.min(event.refusals, 30);
      const visibleAtMs = nowMs + Math.min(delayMs, times.backoffMaxMs);
      const { invokes, refusals, lastAnswer } = event;
      const progress = { visibleAtMs, invokes, refusals: refusals + 1, lastAnswer };
      return { kind: 'again', progress };
    }
    case 'function-error': {
      const invokes = event.invokes + 1;
      if (invokes > policy.maximumRetryAttempts) {
        return over(event, policy, 'RetriesExhausted', result, invokes, nowMs);
      }
      const delayMs = times.retryDelaysMs[event.invokes] ?? times.retryDelaysMs.at(-1) ?? 0;
      const progress = { visibleAtMs: nowMs + delayMs, invokes, refusals: 0 };
      return { kind: 'again', progress: { ...progress, lastAnswer: keptOf(result) } };
    }
  }
}

/** An answer may be as long as a response, and an event waits beside many others. */
function keptOf({ executedVersion, payload }: FunctionAnswer): FunctionAnswer {
  return { executedVersion, payload: payload.subarray(0, limits.queue.lastAnswerBytes) };
}

function over(
  event: StoredEvent,
  policy: EventPolicy,
  condition: EndingCondition,
  response: FunctionAnswer | undefined,
  invokes: number,
  nowMs: number,
): Decision {
  const deliveries: Delivery[] = [];
  const succeeded = condition === 'Success';
  const target = succeeded ? policy.onSuccess : policy.onFailure;
  if (target !== undefined && condition !== 'FunctionDeleted') {
    const { functionArn } = policy;
    const facts = { functionArn, condition, invokes, response, nowMs };
    const body = JSON.stringify(destinationRecord(event, facts));
    const { configuredBy } = policy;
    deliveries.push({ kind: 'destination', target, configuredBy, body, attributes: {} });
  }
  if (!succeeded && policy.deadLetter !== undefined && condition !== 'FunctionDeleted') {
    const attributes = {
      RequestID: event.requestId,
      ErrorCode: '200',
      ErrorMessage: errorMessageOf(response?.payload, condition),
    };
    const body = event.payload.toString('utf8');
    const { deadLetter, deadLetterConfiguredBy: configuredBy } = policy;
    deliveries.push({ kind: 'dead-letter', target: deadLetter, configuredBy, body, attributes });
  }
  const ending = { condition, deliveries, attempts: 0 };
  return { kind: 'over', progress: { visibleAtMs: nowMs, invokes, refusals: 0, ending } };
}
