import { limits } from '../base/mod.ts';
import type { AsyncEvent, EndingCondition, FunctionAnswer } from './types.ts';

export interface DestinationFacts {
  readonly functionArn: string;
  readonly condition: EndingCondition;
  readonly invokes: number;
  readonly response: FunctionAnswer | undefined;
  readonly nowMs: number;
}

/** JSON where it is JSON, else the text. */
function jsonOrText(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What a destination is sent, key by key as AWS orders them (contract 2.10). */
export function destinationRecord(event: AsyncEvent, facts: DestinationFacts): object {
  const { functionArn, condition, invokes, response, nowMs } = facts;
  const record = {
    version: '1.0',
    timestamp: new Date(nowMs).toISOString(),
    requestContext: {
      requestId: event.requestId,
      functionArn,
      condition,
      approximateInvokeCount: invokes,
    },
    requestPayload: jsonOrText(event.payload),
  };
  if (!response) return record;
  const failed = condition === 'Success' ? {} : { functionError: 'Unhandled' };
  return {
    ...record,
    responseContext: { statusCode: 200, executedVersion: response.executedVersion, ...failed },
    responsePayload: jsonOrText(response.payload),
  };
}

/** The `ErrorMessage` attribute of a dead letter: the function's own words, cut to 1 KiB. */
export function errorMessageOf(payload: Buffer | undefined, condition: EndingCondition): string {
  const parsed = payload === undefined ? undefined : jsonOrText(payload);
  const said =
    typeof parsed === 'object' && parsed !== null && 'errorMessage' in parsed
      ? String(parsed.errorMessage)
      : condition;
  // Cut on bytes; a character that the cut splits is dropped with it.
  const cut = Buffer.from(said).subarray(0, limits.queue.errorMessageBytes).toString('utf8');
  return cut.endsWith('\uFFFD') && !said.includes('\uFFFD') ? cut.slice(0, -1) : cut;
}
