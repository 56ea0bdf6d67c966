import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noLogger, Semaphore, SluiceError, VirtualClock } from '../../base/mod.ts';
import { MappingPoller } from './mapping-poller.ts';
import { FakeFunction, FakeSource, mapping, messageOf, pass } from './sources.fixture.ts';
import type { SourceMapping } from './types.ts';

function bench(t: TestContext, change: Partial<SourceMapping> = {}) {
  const clock = new VirtualClock(1_763_700_000_000);
  const source = new FakeSource(clock);
  const invoker = new FakeFunction(clock);
  const receives = new Semaphore(100);
  const poller = new MappingPoller({
    mapping: { ...mapping, ...change },
    ...{ source, invoker, receives, clock, logger: noLogger },
  });
  poller.start();
  t.after(() => Promise.all([poller.stop(), pass(clock, 5000)]));
  return { clock, source, invoker, poller, pass: (ms: number) => pass(clock, ms) };
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('a message becomes an event as AWS writes it, and is deleted', async (t) => {
  const { source, invoker, pass } = bench(t);
  const messageAttributes = { a: { dataType: 'String', stringValue: 'x' } };
  source.send(messageOf(1, { messageAttributes, md5OfMessageAttributes: 'md5' }));
  await pass(1000);
  assert.deepEqual(invoker.events, [
    {
      Records: [
        {
          messageId: 'm1',
          receiptHandle: 'r1',
          body: '{"n":1}',
          attributes: { ApproximateReceiveCount: '1' },
          messageAttributes: {
            a: { dataType: 'String', stringValue: 'x', stringListValues: [], binaryListValues: [] },
          },
          md5OfMessageAttributes: 'md5',
          md5OfBody: 'md5 of 1',
          eventSource: 'aws:sqs',
          eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:q',
          awsRegion: 'eu-west-1',
        },
      ],
    },
  ]);
  assert.deepEqual(source.removed, ['m1']);
});

test('a batch that failed comes again when its visibility timeout is over, not before', async (t) => {
  const { source, invoker, pass } = bench(t);
  invoker.answer = () => ({ kind: 'function-error' });
  source.send(messageOf(1));
  await pass(29_000);
  assert.equal(invoker.batches.length, 1);
  assert.equal(source.left, 1);
  invoker.answer = () => ({ kind: 'ok', payload: Buffer.from('null') });
  await pass(25_000);
  assert.equal(invoker.batches.length, 2);
  assert.equal(source.left, 0);
});

test('only the messages that the answer names come again', async (t) => {
  const { source, invoker, pass } = bench(t, { reportsItemFailures: true });
  const failures = (...ids: unknown[]) => ({
    kind: 'ok' as const,
    payload: Buffer.from(
      JSON.stringify({ batchItemFailures: ids.map((id) => ({ itemIdentifier: id })) }),
    ),
  });
  invoker.answer = () => failures('m2');
  source.send(...numbers(1, 3).map((n) => messageOf(n)));
  await pass(1000);
  assert.deepEqual(source.removed.sort(), ['m1', 'm3']);
  for (const wrong of [failures('m9'), failures(''), failures(2), failures(null)]) {
    invoker.answer = () => wrong;
    await pass(31_000);
    assert.equal(source.left, 1, 'an answer that cannot be understood fails the batch');
  }
  invoker.answer = () => ({ kind: 'ok', payload: Buffer.from('{"batchItemFailures":null}') });
  await pass(51_000);
  assert.equal(source.left, 0);
});

test('an answer is not read where the mapping does not ask for it', async (t) => {
  const { source, invoker, pass } = bench(t);
  const payload = Buffer.from('{"batchItemFailures":[{"itemIdentifier":"m1"}]}');
  invoker.answer = () => ({ kind: 'ok', payload });
  source.send(messageOf(1));
  await pass(1000);
  assert.equal(source.left, 0);
});

test('messages that no filter lets through are deleted', async (t) => {
  const filters = ['{"body":{"n":[2]}}', '{"body":["plain"]}'];
  const { source, invoker, pass } = bench(t, { filters });
  const bodies = [1, 2, 3].map((n) => messageOf(n));
  source.send(...bodies, messageOf(4, { body: 'plain' }), messageOf(5, { body: 'other' }));
  await pass(1000);
  const ids = invoker.batches.flat().map((each) => each.messageId);
  assert.deepEqual(ids.sort(), ['m2', 'm4']);
  assert.equal(source.left, 0);
});

test('a window fills batches beyond what one receive brings', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 25, batchingWindowSeconds: 5 });
  source.send(...numbers(1, 12).map((n) => messageOf(n)));
  await pass(3000);
  assert.equal(invoker.batches.length, 0, 'the window is open');
  await pass(4000);
  assert.equal(invoker.batches.flat().length, 12);
  source.send(...numbers(13, 80).map((n) => messageOf(n)));
  await pass(30_000);
  assert.equal(source.left, 0);
  assert.ok(invoker.batches.every((batch) => batch.length <= 25));
});

test('a window ends after its time, though the wall clock is set back meanwhile', async (t) => {
  const { source, invoker, pass, clock } = bench(t, { batchSize: 25, batchingWindowSeconds: 5 });
  source.send(...numbers(1, 12).map((n) => messageOf(n)));
  await pass(1000);
  clock.stepWall(-3600_000);
  await pass(6000);
  assert.equal(invoker.batches.flat().length, 12);
});

test('a batch of large messages is not filled beyond what an event may hold', async (t) => {
  const { source, invoker, pass } = bench(t, {
    ...{ batchSize: 100, batchingWindowSeconds: 20, maximumConcurrency: 1 },
  });
  const body = 'x'.repeat(250_000);
  source.send(...numbers(1, 40).map((n) => messageOf(n, { body })));
  await pass(1000);
  assert.deepEqual(
    invoker.batches.map(({ length }) => length),
    [20, 20],
    'two receives of two and a half megabytes each',
  );
});

test('what is gathered is invoked also when the queue stops answering', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 25, batchingWindowSeconds: 5 });
  source.send(...numbers(1, 12).map((n) => messageOf(n)));
  await pass(200);
  source.failure = new SluiceError('QUEUE_SERVICE_UNAVAILABLE', 'down');
  await pass(3000);
  assert.equal(invoker.batches.length, 0, 'the window is open');
  await pass(3000);
  assert.equal(invoker.batches.flat().length, 12);
});

test('a batch that fills up is invoked before its window is over', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 15, batchingWindowSeconds: 60 });
  source.send(...numbers(1, 15).map((n) => messageOf(n)));
  await pass(1000);
  assert.deepEqual([invoker.batches.length, invoker.batches.flat().length], [1, 15]);
});

test('a function is not invoked for a batch of which its filter leaves nothing', async (t) => {
  const { source, invoker, pass } = bench(t, { filters: ['{"body":["none"]}'] });
  source.send(messageOf(1), messageOf(2));
  await pass(1000);
  assert.deepEqual([source.left, invoker.batches.length], [0, 0]);
});

test('a batch that could not be deleted comes again, and the queue is left alone meanwhile', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 1, maximumConcurrency: 1 });
  source.removeFailure = new SluiceError('QUEUE_SERVICE_UNAVAILABLE', 'down');
  source.send(messageOf(1));
  await pass(400);
  source.removeFailure = undefined;
  source.send(messageOf(2));
  await pass(400);
  assert.equal(invoker.batches.length, 1, 'the pause after a failure');
  await pass(60_000);
  assert.deepEqual([source.left, invoker.batches.length], [0, 3]);
});

test('a stopped poller leaves no timer and no receive behind', async (t) => {
  const { source, invoker, poller, clock, pass } = bench(t);
  invoker.answer = () => ({ kind: 'refused' });
  source.send(messageOf(1));
  await pass(500);
  const stopping = poller.stop();
  await pass(2000);
  await stopping;
  assert.deepEqual([clock.pending, source.openReceives], [0, 0]);
  await pass(60_000);
  assert.equal(invoker.batches.length, 1);
});

test('no more batches run at once than the mapping allows', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 1, maximumConcurrency: 2 });
  invoker.takesMs = 500;
  source.send(...numbers(1, 20).map((n) => messageOf(n)));
  await pass(8000);
  assert.equal(source.left, 0);
  assert.equal(invoker.mostRunning, 2);
});

test('a busy queue is read by five batches, then by more', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 1 });
  invoker.takesMs = 900;
  source.send(...numbers(1, 400).map((n) => messageOf(n)));
  await pass(800);
  assert.equal(invoker.mostRunning, 5);
  await pass(14_000);
  assert.ok(invoker.mostRunning > 20, `${invoker.mostRunning} at once`);
});

test('a function that refuses is left alone for a while, and nothing is lost', async (t) => {
  const { source, invoker, pass } = bench(t, { batchSize: 1 });
  invoker.answer = () => ({ kind: 'refused' });
  source.send(...numbers(1, 50).map((n) => messageOf(n)));
  await pass(20_000);
  const asked = invoker.batches.length;
  assert.ok(asked < 20, `${asked} batches in 20 s`);
  invoker.answer = () => ({ kind: 'ok', payload: Buffer.from('null') });
  await pass(120_000);
  assert.equal(source.left, 0);
});

test('a function that is not there costs no message a receive', async (t) => {
  const { source, invoker, pass } = bench(t);
  await pass(30_000);
  invoker.isReady = false;
  await pass(30_000);
  source.mostReceives = 0;
  source.send(messageOf(1));
  await pass(60_000);
  assert.equal(source.mostReceives, 0);
  invoker.isReady = true;
  await pass(61_000);
  assert.equal(source.left, 0);
});

test('a queue that cannot be read is tried again, later each time', async (t) => {
  const { source, invoker, pass } = bench(t);
  source.failure = new SluiceError('QUEUE_SERVICE_UNAVAILABLE', 'down');
  source.send(messageOf(1));
  await pass(70_000);
  source.failure = undefined;
  await pass(61_000);
  assert.equal(invoker.batches.length, 1);
});

test('stopping waits for the batches under way and receives no more', async (t) => {
  const { source, invoker, poller, clock, pass } = bench(t, { batchSize: 1 });
  invoker.takesMs = 2000;
  source.send(messageOf(1));
  await pass(500);
  let stopped = false;
  const stopping = poller.stop().then(() => {
    stopped = true;
  });
  source.send(messageOf(2));
  await pass(1000);
  assert.equal(stopped, false);
  await pass(2000);
  await stopping;
  assert.deepEqual(source.removed, ['m1']);
  assert.equal(source.openReceives, 0);
  assert.ok(clock.nowMs() > 0);
});
