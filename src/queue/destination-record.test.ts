import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../base/mod.ts';
import { destinationRecord, errorMessageOf } from './destination-record.ts';
import { eventOf } from './event-store.conformance.ts';

const nowMs = Date.parse('2025-01-31T12:00:00.000Z');
const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST';

test('a record is written as AWS writes it, to the order of its keys', () => {
  const event = { ...eventOf(1), payload: Buffer.from('{"n":1}') };
  const failed = destinationRecord(event, {
    ...{ functionArn, nowMs, condition: 'RetriesExhausted', invokes: 3 },
    response: { executedVersion: '$LATEST', payload: Buffer.from('{"errorMessage":"no"}') },
  });
  assert.equal(
    JSON.stringify(failed),
    '{"version":"1.0","timestamp":"2025-01-31T12:00:00.000Z","requestContext":{"requestId":"r-1",' +
      `"functionArn":"${functionArn}","condition":"RetriesExhausted","approximateInvokeCount":3},` +
      '"requestPayload":{"n":1},"responseContext":{"statusCode":200,"executedVersion":"$LATEST",' +
      '"functionError":"Unhandled"},"responsePayload":{"errorMessage":"no"}}',
  );
  const succeeded = destinationRecord(event, {
    ...{ functionArn, nowMs, condition: 'Success', invokes: 1 },
    response: { executedVersion: '7', payload: Buffer.from('not JSON') },
  });
  assert.deepEqual(Object.entries(succeeded).slice(-2), [
    ['responseContext', { statusCode: 200, executedVersion: '7' }],
    ['responsePayload', 'not JSON'],
  ]);
});

test('a record of an event that no invoke answered has no response', () => {
  const record = destinationRecord(eventOf(1), {
    ...{ functionArn, nowMs, condition: 'ZeroReservedConcurrency', invokes: 0 },
    response: undefined,
  });
  assert.deepEqual(Object.keys(record), [
    'version',
    'timestamp',
    'requestContext',
    'requestPayload',
  ]);
});

test('a dead letter tells what the function said, in at most a kibibyte', () => {
  const say = (errorMessage: string) =>
    errorMessageOf(Buffer.from(JSON.stringify({ errorMessage })), 'RetriesExhausted');
  assert.equal(say('no'), 'no');
  for (const text of ['x'.repeat(5000), 'ä'.repeat(5000), '€'.repeat(5000), '😀'.repeat(5000)]) {
    const cut = say(text);
    assert.ok(text.startsWith(cut), 'no character is split');
    const bytes = Buffer.byteLength(cut);
    assert.ok(
      bytes > limits.queue.errorMessageBytes - 4 && bytes <= limits.queue.errorMessageBytes,
    );
  }
  assert.equal(errorMessageOf(undefined, 'EventAgeExceeded'), 'EventAgeExceeded');
  assert.equal(errorMessageOf(Buffer.from('null'), 'RetriesExhausted'), 'RetriesExhausted');
});
