import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, limits, SluiceError } from '../base/mod.ts';
import { eventOf, eventStoreConformance } from './event-store.conformance.ts';
import { queuesOf } from './fair-share.ts';
import { MemoryEventQueue } from './memory-event-queue.fixture.ts';
import { SqliteEventQueue } from './sqlite-event-queue.ts';
import { SqliteEvents } from './sqlite-events.ts';
import { eventQueueMigrations } from './sqlite-schema.ts';
import type { EventCapacity } from './types.ts';

const unheard = () => assert.fail('no record is damaged');

async function openSqlite(t: TestContext, capacity: EventCapacity = {}) {
  const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
  const store = await SqliteEventQueue.open({ path, ...capacity });
  t.after(() => store.close());
  return store;
}

eventStoreConformance('memory', async (_, capacity) => new MemoryEventQueue(capacity));
eventStoreConformance('SQLite', openSqlite);

describe('the SQLite event store', () => {
  test('has after a crash what it acknowledged, and claims it again', async (t) => {
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

  test('refuses with the facts of its thread’s error', async (t) => {
    const store = await openSqlite(t, { events: 1 });
    await store.enqueue(eventOf(1));
    const refused = (await store.enqueue(eventOf(2)).catch((error) => error)) as SluiceError;
    assert.ok(refused instanceof SluiceError && refused.code === 'OVERLOADED');
    const memory = new MemoryEventQueue({ events: 1 });
    await memory.enqueue(eventOf(1));
    await assert.rejects(memory.enqueue(eventOf(2)), {
      message: refused.message,
      data: refused.data,
    });
  });

  test('sets aside an event that cannot be read, names it at each start, and runs all others', async (t) => {
    const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
    const first = await SqliteEventQueue.open({ path });
    for (let n = 0; n < 20; n++) await first.enqueue(eventOf(n));
    await first.close();
    const database = new DatabaseSync(path);
    database.exec(`UPDATE events SET ending = '{"deliver' WHERE event_id IN (3, 4)`);
    database.exec(`INSERT INTO failures (account_id, body) VALUES ('000000000000', '{')`);
    database.close();
    for (const life of [1, 2]) {
      const damaged: string[] = [];
      const onDamaged = (record: string) => void damaged.push(record);
      const store = await SqliteEventQueue.open({ path, onDamaged });
      const claimed = await store.claim(5000, 100);
      assert.equal(claimed.length, 18);
      assert.equal((await store.stats()).events, 18);
      assert.deepEqual(await store.failures('000000000000', 10), []);
      await store.close();
      const named = [3, 4].map((id) => `000000000000/f, event ${id}`);
      assert.deepEqual(damaged.sort(), [...named, '000000000000/failed event 1'], `life ${life}`);
    }
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

test('a queue that closes takes nothing more', async (t) => {
  const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
  const store = await SqliteEventQueue.open({ path });
  const closing = store.close();
  await assert.rejects(store.enqueue(eventOf(1)), (error) => isSluiceError(error, 'CANCELLED'));
  await closing;
  await store.close();
  const again = await SqliteEventQueue.open({ path });
  t.after(() => again.close());
  assert.equal((await again.stats()).events, 0);
});

test('the file of a queue that was full does not keep its size', (t) => {
  const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
  // As an earlier Sluice made it.
  const old = new DatabaseSync(path);
  for (const script of eventQueueMigrations) old.exec(script);
  old.exec(`PRAGMA user_version = ${eventQueueMigrations.length}`);
  old.close();
  const events = new SqliteEvents(path, { events: 1000, failures: 10, bytes: 2 ** 40 }, unheard);
  t.after(() => events.close());
  const batch = <T>(work: () => T): T => {
    events.begin();
    const value = work();
    events.commit();
    return value;
  };
  for (let n = 0; n < 20; n++) {
    batch(() => events.enqueue(eventOf(n, { payload: Buffer.alloc(1_000_000, 1) })));
  }
  for (let left = 20; left > 0; ) {
    left -= batch(() => {
      const claimed = events.claim(Number.MAX_SAFE_INTEGER, 20);
      for (const { eventId } of claimed) events.remove(eventId, undefined);
      return claimed.length;
    });
  }
  for (let n = 0; n < 400; n++) batch(() => {});
  const pages = new DatabaseSync(path);
  const { page_count: count } = pages.prepare('PRAGMA page_count').get() as { page_count: number };
  pages.close();
  assert.ok(count < 2 * limits.queue.freePages, `${count} pages`);
});

describe('a batch that is rolled back', () => {
  const openEvents = (t: TestContext) => {
    const path = join(temporaryDirectory(t, 'queue'), 'events.sqlite');
    const events = new SqliteEvents(path, { events: 100, failures: 10, bytes: 2 ** 30 }, unheard);
    t.after(() => events.close());
    return events;
  };
  const commit = <T>(events: SqliteEvents, work: () => T): T => {
    events.begin();
    const value = work();
    events.commit();
    return value;
  };

  test('has claimed nothing: its events are claimed by the next', (t) => {
    const events = openEvents(t);
    commit(events, () => {
      for (const n of [1, 2, 3]) events.enqueue(eventOf(n));
    });
    const kept = commit(events, () => events.claim(5000, 1)).map(({ eventId }) => eventId);
    events.begin();
    assert.equal(events.claim(5000, 10).length, 2);
    events.rolledBack();
    assert.equal(events.stats().claimed, 1, 'the claim of the batch before stands');
    const again = commit(events, () => events.claim(5000, 10)).map(({ eventId }) => eventId);
    assert.equal(again.length, 2);
    assert.ok(!again.includes(kept[0]!));
  });

  test('has added, put back and removed nothing: its owner can do so again', (t) => {
    const events = openEvents(t);
    commit(events, () => {
      for (const n of [1, 2]) events.enqueue(eventOf(n));
    });
    const [one, two] = commit(events, () => events.claim(5000, 2));
    const end = () => {
      events.enqueue(eventOf(3));
      events.remove(one!.eventId, undefined);
      events.save(two!.eventId, { visibleAtMs: 9000, invokes: 1, refusals: 0 }, true);
    };
    events.begin();
    end();
    events.rolledBack();
    const { events: count, claimed } = events.stats();
    assert.deepEqual([count, claimed], [2, 2]);
    assert.deepEqual(
      commit(events, () => events.claim(5000, 10)),
      [],
      'they are claimed still',
    );
    commit(events, end);
    const left = commit(events, () => events.claim(9000, 10));
    assert.deepEqual(left.map(({ requestId }) => requestId).sort(), ['r-2', 'r-3']);
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
