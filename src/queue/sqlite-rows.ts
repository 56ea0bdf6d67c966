import { type OnDamaged, readRows } from '../database/mod.ts';
import type { EventSize } from './event-bytes.ts';
import type { EventEnding, FunctionAnswer, StoredEvent } from './types.ts';

export type Row = Record<string, string | number | bigint | Uint8Array | null>;

/** What an event's row counts as, in SQL. */
export const rowBytes = 'length(payload) + coalesce(length(last_answer), 0)';

/** Of a row with `bytes` beside whose it is. */
export function sizeOfRow(row: Row): EventSize {
  return {
    accountId: String(row['account_id']),
    functionName: String(row['function_name']),
    bytes: Number(row['bytes']),
  };
}

const nameOfEvent = (row: Row) =>
  `${row['account_id']}/${row['function_name']}, event ${row['event_id']}`;

/** Undefined for one that cannot be read, which is reported. */
export function eventOfRow(row: Row, onDamaged: OnDamaged): StoredEvent | undefined {
  const body = row['ending'] === null ? null : String(row['ending']);
  const rows = body === null ? [] : [{ body }];
  const [ending] = readRows<EventEnding>(rows, () => nameOfEvent(row), onDamaged);
  if (body !== null && !ending) return undefined;
  return {
    eventId: Number(row['event_id']),
    accountId: String(row['account_id']),
    functionName: String(row['function_name']),
    qualifier: row['qualifier'] === null ? undefined : String(row['qualifier']),
    requestId: String(row['request_id']),
    traceId: String(row['trace_id']),
    tenantId: row['tenant_id'] === null ? undefined : String(row['tenant_id']),
    payload: bufferOf(row['payload']),
    receivedMs: Number(row['received_ms']),
    visibleAtMs: Number(row['visible_at_ms']),
    invokes: Number(row['invokes']),
    refusals: Number(row['refusals']),
    ...(row['last_version'] === null ? {} : { lastAnswer: answerOfRow(row) }),
    ending,
  };
}

function answerOfRow(row: Row): FunctionAnswer {
  return { executedVersion: String(row['last_version']), payload: bufferOf(row['last_answer']) };
}

function bufferOf(value: Row[string] | undefined): Buffer {
  const { buffer, byteOffset, byteLength } = value as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength);
}
