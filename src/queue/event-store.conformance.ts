import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { isSluiceError, limits } from '../base/mod.ts';
import type { AsyncEvent, EventCapacity, EventStore, FailedEvent } from './types.ts';

export const eventOf = (n: number, more: Partial<AsyncEvent> = {}): AsyncEvent => ({
  accountId: '000000000000',
  functionName: 'f',
  qualifier: undefined,
  requestId: `r-${n}`,
  traceId: `Root=${n}`,
  tenantId: n % 2 === 0 ? undefined : `tenant ${n}`,
  payload: Buffer.from(JSON.stringify({ n })),
  receivedMs: 1000 + n,
  ...more,
});

const failureOf = (n: number): FailedEvent => ({
  requestId: `r-${n}`,
  accountId: '000000000000',
  functionName: 'f',
  condition: 'RetriesExhausted',
  invokes: 3,
  failedMs: n,
});

/** What every store of events must do; `open` makes an empty one that ends with the test. */
export function eventStoreConformance(
  name: string,
  open: (t: TestContext, capacity?: EventCapacity) => Promise<EventStore>,
): void {
  describe(`${name} as an event store`, () => {
    test('gives back what it was given, once', async (t) => {
      const store = await open(t);
      const event = eventOf(1, { qualifier: 'live', payload: Buffer.from([0, 255, 10]) });
      await store.enqueue(event);
      const [claimed, ...rest] = await store.claim(5000, 10);
      assert.equal(rest.length, 0);
      assert.ok(claimed);
      const { eventId, ...given } = claimed;
      assert.ok(Number.isInteger(eventId));
      const fresh = { visibleAtMs: 1001, invokes: 0, refusals: 0 };
      assert.deepEqual({ ending: undefined, ...given }, { ...event, ...fresh, ending: undefined });
      assert.deepEqual(await store.claim(5000, 10), [], 'claimed is claimed');
      await store.remove(eventId);
      assert.deepEqual(await store.claim(5000, 10), []);
      assert.equal((await store.stats()).events, 0);
    });

    test('shows an event that was put back only when it is due, with its progress', async (t) => {
      const store = await open(t);
      await store.enqueue(eventOf(1));
      const [claimed] = await store.claim(2000, 10);
      const progress = { visibleAtMs: 9000, invokes: 1, refusals: 2 };
      await store.save(claimed!.eventId, progress, true);
      assert.equal(await store.nextDueMs(), 9000);
      assert.deepEqual(await store.claim(8999, 10), []);
      const [again] = await store.claim(9000, 10);
      assert.deepEqual([again?.invokes, again?.refusals], [1, 2]);
      assert.equal(await store.nextDueMs(), undefined, 'a claimed event falls due no more');
    });

    test('moves all that it holds when the wall clock is set', async (t) => {
      const store = await open(t);
      await store.enqueue(eventOf(1, { receivedMs: 1000 }));
      const [claimed] = await store.claim(2000, 10);
      await store.save(claimed!.eventId, { visibleAtMs: 9000, invokes: 1, refusals: 0 }, true);
      await store.shift(-500);
      assert.equal(await store.nextDueMs(), 8500);
      const [again] = await store.claim(8500, 10);
      assert.equal(again?.receivedMs, 500);
    });

    test('keeps the last answer of an event that is put back, and counts its bytes', async (t) => {
      const most = 160 * 16;
      const store = await open(t, { bytes: most });
      await store.enqueue(eventOf(1));
      const [claimed] = await store.claim(2000, 10);
      const lastAnswer = { executedVersion: '7', payload: Buffer.alloc(most / 16) };
      const progress = { visibleAtMs: 2000, invokes: 1, refusals: 0 };
      await store.save(claimed!.eventId, { ...progress, lastAnswer }, true);
      await assert.rejects(store.enqueue(eventOf(2)), (error) =>
        isSluiceError(error, 'OVERLOADED'),
      );
      const [again] = await store.claim(2000, 10);
      assert.deepEqual(again?.lastAnswer, lastAnswer);
      await store.save(claimed!.eventId, progress, true);
      await store.enqueue(eventOf(3));
      const [gone] = (await store.claim(2000, 10)).filter((each) => each.requestId === 'r-1');
      assert.equal(gone?.lastAnswer, undefined);
    });

    test('keeps the ending of an event that is still claimed', async (t) => {
      const store = await open(t);
      await store.enqueue(eventOf(1));
      const [claimed] = await store.claim(2000, 10);
      const delivery = { kind: 'destination', target: 't', body: '{}', attributes: {} } as const;
      const ending = { condition: 'Success', deliveries: [delivery], attempts: 1 } as const;
      await store.save(
        claimed!.eventId,
        { visibleAtMs: 1, invokes: 1, refusals: 0, ending },
        false,
      );
      assert.deepEqual(await store.claim(5000, 10), []);
      await store.save(claimed!.eventId, { visibleAtMs: 1, invokes: 1, refusals: 0, ending }, true);
      const [again] = await store.claim(5000, 10);
      assert.deepEqual(again?.ending, ending);
    });

    test('claims from all functions in turn, however many events one of them has', async (t) => {
      const store = await open(t);
      for (let n = 0; n < 300; n++) await store.enqueue(eventOf(n, { functionName: 'greedy' }));
      const names = Array.from({ length: 20 }, (_, n) => `modest-${n}`);
      for (const functionName of names) await store.enqueue(eventOf(999, { functionName }));
      const claimed = await store.claim(5000, 64);
      const modest = new Set(claimed.map((each) => each.functionName));
      modest.delete('greedy');
      assert.ok(modest.size >= 15, `${modest.size} of 20 in the first 64`);
    });

    test('claims a limited number of a function’s events, and says so', async (t) => {
      const store = await open(t);
      const { claimsPerQueue, queuesPerFunction } = limits.queue;
      const most = claimsPerQueue * queuesPerFunction;
      for (let n = 0; n < most + 20; n++) await store.enqueue(eventOf(n));
      const claimed = await store.claim(5000, 1000);
      assert.equal(claimed.length, most);
      assert.equal(await store.nextDueMs(), undefined, 'nobody need look again before one ends');
      await store.remove(claimed[0]!.eventId);
      assert.ok((await store.nextDueMs()) !== undefined);
      assert.equal((await store.claim(5000, 1000)).length, 1);
      await store.enqueue(eventOf(1, { functionName: 'another' }));
      assert.equal((await store.claim(5000, 1000)).length, 1);
    });

    test('claims the oldest of a function first', async (t) => {
      const store = await open(t);
      for (let n = 0; n < 40; n++) await store.enqueue(eventOf(n));
      const first = (await store.claim(5000, 8)).map((each) => Number(each.requestId.slice(2)));
      assert.ok(Math.max(...first) < 16, `the first eight are ${first}`);
    });

    test('takes no more events than it may hold', async (t) => {
      const store = await open(t, { events: 2 });
      await store.enqueue(eventOf(1));
      await store.enqueue(eventOf(2));
      await assert.rejects(store.enqueue(eventOf(3)), (error) =>
        isSluiceError(error, 'OVERLOADED'),
      );
      const [claimed] = await store.claim(5000, 1);
      await store.remove(claimed!.eventId);
      await store.enqueue(eventOf(3));
      assert.equal((await store.stats()).events, 2);
    });

    test('takes no more bytes of one function or account than leaves the others room', async (t) => {
      const store = await open(t, { bytes: 16_000 });
      const overloaded = (error: unknown) => isSluiceError(error, 'OVERLOADED');
      const large = (n: number, more: Partial<AsyncEvent> = {}) =>
        store.enqueue(eventOf(n, { payload: Buffer.alloc(500), functionName: 'f', ...more }));
      await large(1);
      await large(2);
      await assert.rejects(large(3), overloaded);
      for (let n = 0; n < 6; n++) await large(n, { functionName: `g-${n}` });
      await assert.rejects(large(9, { functionName: 'h' }), overloaded);
      await large(10, { accountId: '222222222222' });
      const claimed = await store.claim(5000, 20);
      const own = claimed.find(({ accountId }) => accountId !== '222222222222');
      await store.remove(own!.eventId);
      await large(11, { functionName: 'h' });
    });

    test('takes no more of one function than leaves the others room', async (t) => {
      const store = await open(t, { events: 64 });
      const overloaded = (error: unknown) => isSluiceError(error, 'OVERLOADED');
      for (let n = 0; n < 16; n++) await store.enqueue(eventOf(n, { functionName: 'greedy' }));
      await assert.rejects(store.enqueue(eventOf(1, { functionName: 'greedy' })), overloaded);
      const names = Array.from({ length: 10 }, (_, n) => `modest-${n}`);
      for (const functionName of names) await store.enqueue(eventOf(1, { functionName }));
      assert.equal((await store.stats()).events, 26);
    });

    test('remembers failures, an account’s own, newest first', async (t) => {
      const store = await open(t);
      for (const n of [1, 2, 3]) {
        await store.enqueue(eventOf(n));
        const [claimed] = await store.claim(5000, 1);
        await store.remove(claimed!.eventId, failureOf(n));
      }
      const failures = await store.failures('000000000000', 2);
      assert.deepEqual(failures, [failureOf(3), failureOf(2)]);
      assert.deepEqual(await store.failures('111111111111', 2), []);
    });

    test('forgets the oldest failures beyond its limit', async (t) => {
      const store = await open(t, { failures: 3 });
      for (let n = 1; n <= 5; n++) {
        await store.enqueue(eventOf(n));
        const [claimed] = await store.claim(5000, 1);
        await store.remove(claimed!.eventId, failureOf(n));
      }
      const failures = await store.failures('000000000000', 100);
      assert.deepEqual(failures, [failureOf(5), failureOf(4), failureOf(3)]);
    });

    test('forgets failures of the account that has most, and no other’s', async (t) => {
      const store = await open(t, { failures: 4 });
      const fail = async (n: number, accountId: string) => {
        await store.enqueue(eventOf(n, { accountId }));
        const [claimed] = await store.claim(5000, 1);
        await store.remove(claimed!.eventId, { ...failureOf(n), accountId });
      };
      await fail(1, '111111111111');
      for (let n = 2; n <= 9; n++) await fail(n, '222222222222');
      const counts = ['111111111111', '222222222222'].map(
        async (accountId) => (await store.failures(accountId, 100)).length,
      );
      assert.deepEqual(await Promise.all(counts), [1, 3]);
    });

    test('says how much it holds and since when', async (t) => {
      const store = await open(t);
      const empty = { events: 0, claimed: 0, oldestReceivedMs: undefined };
      assert.deepEqual(await store.stats(), empty);
      await store.enqueue(eventOf(5));
      await store.enqueue(eventOf(7));
      await store.claim(5000, 1);
      assert.deepEqual(await store.stats(), { events: 2, claimed: 1, oldestReceivedMs: 1005 });
    });
  });
}
