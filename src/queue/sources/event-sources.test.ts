import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noLogger, VirtualClock } from '../../base/mod.ts';
import { EventSources } from './event-sources.ts';
import { FakeBook, FakeFunction, FakeSource, mapping, messageOf, pass } from './sources.fixture.ts';

function bench(t: TestContext) {
  const clock = new VirtualClock(1_763_700_000_000);
  const book = new FakeBook();
  const source = new FakeSource(clock);
  const invoker = new FakeFunction(clock);
  const open = () => {
    const sources = new EventSources({ book, source, invoker, clock, logger: noLogger });
    t.after(() => Promise.all([sources.close(0), pass(clock, 1000)]));
    return sources;
  };
  return { clock, book, source, invoker, open, pass: (ms: number) => pass(clock, ms) };
}

test('a mapping settles in what was asked for, and runs while it is enabled', async (t) => {
  const { book, source, invoker, open, pass } = bench(t);
  book.put(mapping);
  await open().start();
  await pass(200);
  assert.equal(book.records.get('u')?.state, 'Enabled');
  source.send(messageOf(1));
  await pass(1000);
  assert.equal(source.left, 0);
  book.put({ ...mapping, enabled: false, state: 'Disabling', revision: 2 });
  await pass(200);
  assert.equal(book.records.get('u')?.state, 'Disabled');
  source.send(messageOf(2));
  await pass(30_000);
  assert.equal(source.left, 1);
  book.put({ ...mapping, state: 'Enabling', revision: 3, batchSize: 1 });
  await pass(1000);
  assert.deepEqual([source.left, invoker.batches.length], [0, 2]);
  book.put({ ...mapping, state: 'Deleting', revision: 4 });
  await pass(200);
  assert.equal(book.records.size, 0);
});

test('a change waits for the batches under way', async (t) => {
  const { book, source, invoker, open, pass } = bench(t);
  invoker.takesMs = 5000;
  book.put(mapping);
  await open().start();
  source.send(messageOf(1));
  await pass(1000);
  book.put({ ...mapping, state: 'Deleting', revision: 2 });
  await pass(1000);
  assert.equal(book.records.get('u')?.state, 'Deleting');
  await pass(4000);
  assert.equal(book.records.size, 0);
  assert.equal(source.left, 0, 'what ran is deleted');
});

test('what an earlier life left unfinished is finished', async (t) => {
  const { book, open, pass } = bench(t);
  book.put({ ...mapping, uuid: 'a', state: 'Deleting' });
  book.put({ ...mapping, uuid: 'b', state: 'Disabling', enabled: false });
  book.put({ ...mapping, uuid: 'c', state: 'Updating', enabled: false });
  book.put({ ...mapping, uuid: 'd', state: 'Updating' });
  await open().start();
  await pass(200);
  const states = [...book.records].map(([uuid, { state }]) => `${uuid} ${state}`);
  assert.deepEqual(states, ['b Disabled', 'c Disabled', 'd Enabled']);
});

test('closing waits for running batches as long as it is given', async (t) => {
  const { book, source, invoker, open, pass } = bench(t);
  invoker.takesMs = 60_000;
  book.put(mapping);
  const sources = open();
  await sources.start();
  source.send(messageOf(1));
  await pass(1000);
  let closed = false;
  const closing = sources.close(2000).then(() => {
    closed = true;
  });
  await pass(1000);
  assert.equal(closed, false);
  await pass(2000);
  await closing;
  assert.equal(source.left, 1, 'it comes again');
  assert.equal(source.openReceives, 0);
});

test('a mapping that runs is left running by what does not change it', async (t) => {
  const { book, source, open, pass } = bench(t);
  book.put(mapping);
  await open().start();
  await pass(1000);
  assert.equal(book.records.get('u')?.state, 'Enabled');
  book.put({ ...mapping, state: 'Enabled' });
  await pass(1000);
  assert.deepEqual([source.openReceives, source.mostReceives], [1, 1]);
});

test('a mapping that cannot be read is tried again in a minute', async (t) => {
  const { book, source, open, pass } = bench(t);
  book.readFailure = new Error('the disk is gone');
  book.put(mapping);
  source.send(messageOf(1));
  await open().start();
  await pass(59_000);
  book.readFailure = undefined;
  assert.equal(source.left, 1);
  await pass(2000);
  assert.deepEqual([source.left, book.records.get('u')?.state], [0, 'Enabled']);
});

test('a mapping that comes after close is not taken up', async (t) => {
  const { clock, book, source, open, pass } = bench(t);
  const sources = open();
  await sources.start();
  book.put(mapping);
  await pass(500);
  const closing = sources.close(60_000);
  await pass(2000);
  await closing;
  assert.deepEqual([source.openReceives, clock.pending], [0, 0]);
  book.put({ ...mapping, uuid: 'later' });
  source.send(messageOf(1));
  await pass(60_000);
  assert.deepEqual([source.left, book.records.get('later')?.state], [1, 'Creating']);
});
