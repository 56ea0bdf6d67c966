import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchEvent, selectMessages, succeededMessages } from './batch.ts';
import { readEventPattern } from './event-pattern.ts';
import { mapping, messageOf } from './sources.fixture.ts';

const messages = [1, 2, 3].map((n) => messageOf(n));
const idsOf = (from: readonly { messageId: string }[]) => from.map(({ messageId }) => messageId);
const doneBy = (answer: unknown) =>
  idsOf(
    succeededMessages(
      messages,
      Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer)),
    ),
  );
const failing = (...ids: unknown[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});

test('an answer that names no failure means that all are done', () => {
  const all = ['m1', 'm2', 'm3'];
  for (const answer of ['', null, {}, { batchItemFailures: null }, failing(), { other: 1 }]) {
    assert.deepEqual(doneBy(answer), all, JSON.stringify(answer));
  }
});

test('an answer that names failures leaves those, and all where it cannot be understood', () => {
  assert.deepEqual(doneBy(failing('m2')), ['m1', 'm3']);
  assert.deepEqual(doneBy(failing('m1', 'm2', 'm3')), []);
  const wrong = [
    '{',
    ' ',
    1,
    'true',
    '"m1"',
    { batchItemFailures: 'm1' },
    { batchItemFailures: {} },
  ];
  wrong.push({ batchItemFailures: ['m1'] }, { batchItemFailures: [null] });
  wrong.push({ batchItemFailures: [{}] }, failing('m1', ''), failing(1), failing('m1', 'm9'));
  for (const answer of wrong) assert.deepEqual(doneBy(answer), [], JSON.stringify(answer));
});

test('a filter sees a body that is an object or a list as such, any other as text', () => {
  const taken = (body: string, ...patterns: object[]) => {
    const read = patterns.map((each) => readEventPattern(JSON.stringify(each)));
    return selectMessages(mapping, read, [messageOf(1, { body })]).taken.length === 1;
  };
  assert.ok(taken('{"a":1}', { body: { a: [1] } }));
  assert.ok(taken('["x"]', { body: ['x'] }));
  for (const text of ['plain', '7', 'null', 'true', '"quoted"']) {
    assert.ok(taken(text, { body: [text] }), text);
  }
  assert.ok(!taken('7', { body: [7] }));
  assert.ok(taken('anything'), 'without filters all are taken');
  assert.ok(taken('b', { body: ['a'] }, { body: ['b'] }), 'one filter of several is enough');
  assert.ok(!taken('c', { body: ['a'] }, { body: ['b'] }));
  assert.ok(taken('c', { eventSource: ['aws:sqs'] }), 'what the event says besides counts too');
});

test('a record has a digest of its attributes only where the queue gave one', () => {
  const recordOf = (message: Parameters<typeof messageOf>[1]) =>
    JSON.parse(batchEvent(mapping, [messageOf(1, message)]).toString()).Records[0];
  assert.ok(!('md5OfMessageAttributes' in recordOf({})));
  assert.equal(recordOf({ md5OfMessageAttributes: 'm' }).md5OfMessageAttributes, 'm');
});
