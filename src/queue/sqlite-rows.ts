import type { EventSize } from './event-bytes.ts';
import type { EventEnding, StoredEvent } from './types.ts';

export type Row = Record<string, string | number | bigint | Uint8Array | null>;

export function sizeOfRow(row: Row, bytes: string): EventSize {
  return {
    accountId: String(row['account_id']),
    functionName: String(row['function_name']),
    bytes: Number(row[bytes]),
  };
}

export function eventOfRow(row: Row): StoredEvent {
  const payload = row['payload'] as Uint8Array;
  const ending = row['ending'];
  return {
    eventId: Number(row['event_id']),
    accountId: String(row['account_id']),
    functionName: String(row['function_name']),
    qualifier: row['qualifier'] === null ? undefined : String(row['qualifier']),
    requestId: String(row['request_id']),
    traceId: String(row['trace_id']),
    tenantId: row['tenant_id'] === null ? undefined : String(row['tenant_id']),
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    receivedMs: Number(row['received_ms']),
    visibleAtMs: Number(row['visible_at_ms']),
    invokes: Number(row['invokes']),
    refusals: Number(row['refusals']),
    ending: ending === null ? undefined : (JSON.parse(String(ending)) as EventEnding),
  };
}
