import type { EventPattern } from './event-pattern.ts';
import type { QueueMessage, SourceMapping } from './types.ts';

/** `Records` of the event that a function gets, member by member as AWS orders them. */
export function batchEvent(mapping: SourceMapping, messages: readonly QueueMessage[]): Buffer {
  const records = messages.map((message) => recordOf(mapping, message));
  return Buffer.from(JSON.stringify({ Records: records }));
}

function recordOf({ eventSourceArn }: SourceMapping, message: QueueMessage): object {
  const { messageId, receiptHandle, body, attributes, md5OfBody } = message;
  const { md5OfMessageAttributes } = message;
  return {
    ...{ messageId, receiptHandle, body, attributes },
    messageAttributes: Object.fromEntries(
      Object.entries(message.messageAttributes).map(([name, attribute]) => [
        name,
        { ...attribute, stringListValues: [], binaryListValues: [] },
      ]),
    ),
    ...(md5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes }),
    md5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: eventSourceArn,
    awsRegion: eventSourceArn.split(':')[3],
  };
}

/** A body that is a JSON object or list is matched as such, any other as the text that it is. */
function filteredBody(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : body;
  } catch {
    return body;
  }
}

/** Which messages the function gets; the rest are done with, as if it had taken them. */
export function selectMessages(
  mapping: SourceMapping,
  patterns: readonly EventPattern[],
  messages: readonly QueueMessage[],
): { taken: QueueMessage[]; left: QueueMessage[] } {
  const taken: QueueMessage[] = [];
  const left: QueueMessage[] = [];
  for (const message of messages) {
    const event = { ...recordOf(mapping, message), body: filteredBody(message.body) };
    const matches = patterns.length === 0 || patterns.some((pattern) => pattern(event));
    (matches ? taken : left).push(message);
  }
  return { taken, left };
}

/**
 * Which messages of a batch are done, by the function's answer to `ReportBatchItemFailures`: all
 * where it names no failure, none where what it says cannot be understood.
 */
export function succeededMessages(
  messages: readonly QueueMessage[],
  answer: Buffer,
): readonly QueueMessage[] {
  const failed = failedIds(answer);
  if (failed === undefined) return [];
  const known = new Set(messages.map((each) => each.messageId));
  if ([...failed].some((id) => !known.has(id))) return [];
  return messages.filter((each) => !failed.has(each.messageId));
}

/** Undefined for an answer of another shape. */
function failedIds(answer: Buffer): Set<string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(answer.toString('utf8'));
  } catch {
    return answer.length === 0 ? new Set() : undefined;
  }
  // Null, an empty object and an absent or null list say that nothing failed.
  if (value === null) return new Set();
  if (typeof value !== 'object') return undefined;
  const failures: unknown = 'batchItemFailures' in value ? value.batchItemFailures : null;
  if (failures === null) return new Set();
  if (!Array.isArray(failures)) return undefined;
  const ids = failures.map((each: unknown) =>
    typeof each === 'object' && each !== null && 'itemIdentifier' in each
      ? each.itemIdentifier
      : undefined,
  );
  const named = ids.every((id): id is string => typeof id === 'string' && id !== '');
  return named ? new Set(ids) : undefined;
}
