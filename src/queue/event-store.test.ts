import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, limits } from '../base/mod.ts';
import { eventOf, eventStoreConformance } from './event-store.conformance.ts';
import { queuesOf } from './fair-share.ts';
import { MemoryEventQueue } from './memory-event-queue.ts';
import { SqliteEventQueue } from './sqlite-event-queue.ts';

async function openSqlite(t: TestContext, options: { events?: number } = {}) {
  const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
  const store = await SqliteEventQueue.open({ path, ...options });
  t.after(() => store.close());
  return store;
}

eventStoreConformance('memory', async (_, options) => new MemoryEventQueue(options));
eventStoreConformance('SQLite', openSqlite);

describe('the SQLite event store', () => {
  test('has after a crash what it acknowledged, and claims it anew', async (t) => {
    const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
    const first = await SqliteEventQueue.open({ path });
    await Promise.all(Array.from({ length: 50 }, (_, n) => first.enqueue(eventOf(n))));
    const [claimed] = await first.claim(5000, 1);
    await first.save(claimed!.eventId, { visibleAtMs: 6000, invokes: 1, refusals: 0 }, true);
    assert.equal((await first.claim(5000, 10)).length, 10);
    await first.kill();
    const second = await SqliteEventQueue.open({ path });
    t.after(() => second.close());
    const again = await second.claim(10_000, 100);
    assert.equal(again.length, 50);
    assert.equal(again.find((each) => each.eventId === claimed!.eventId)?.invokes, 1);
  });

  test('refuses a file that is no database, or a newer one', async (t) => {
    const directory = temporaryDirectory(t, 'queue');
    const garbage = join(directory, 'garbage.sqlite');
    writeFileSync(garbage, 'not a database, but long enough to look like one '.repeat(50));
    const refused = (error: unknown) => isSluiceError(error, 'STORE_CORRUPT');
    await assert.rejects(SqliteEventQueue.open({ path: garbage }), refused);
    const newer = join(directory, 'newer.sqlite');
    const database = new DatabaseSync(newer);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await assert.rejects(SqliteEventQueue.open({ path: newer }), refused);
  });

  test('answers what was asked before it closed', async (t) => {
    const store = await openSqlite(t);
    const asked = store.enqueue(eventOf(1));
    const closing = store.close();
    await asked;
    await closing;
    await assert.rejects(store.stats(), (error) => isSluiceError(error, 'CANCELLED'));
  });
});

test('a function has the same few queues always, and all different', () => {
  const { queues, queuesPerFunction } = limits.queue;
  const seen = new Set<number>();
  for (let n = 0; n < 500; n++) {
    const own = queuesOf(`a/${n}`, queues, queuesPerFunction);
    assert.deepEqual(own, queuesOf(`a/${n}`, queues, queuesPerFunction));
    assert.equal(new Set(own).size, queuesPerFunction);
    for (const queue of own) {
      assert.ok(queue >= 0 && queue < queues);
      seen.add(queue);
    }
  }
  assert.equal(seen.size, queues, 'no queue stays unused');
});
