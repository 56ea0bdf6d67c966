import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { limits, noLogger, SluiceError, systemClock, VirtualClock } from '../base/mod.ts';
import type { EventPolicy, EventResult } from './decide.ts';
import { eventOf } from './event-store.conformance.ts';
import { MemoryEventQueue } from './memory-event-queue.fixture.ts';
import { Poller, type PollerOptions } from './poller.ts';
import { SqliteEventQueue } from './sqlite-event-queue.ts';
import type { Delivery, StoredEvent } from './types.ts';

const ok: EventResult = { kind: 'ok', executedVersion: '$LATEST', payload: Buffer.from('{"y":2}') };
const failed: EventResult = {
  kind: 'function-error',
  executedVersion: '$LATEST',
  payload: Buffer.from('{"errorType":"E","errorMessage":"no"}'),
};
const policy: EventPolicy = {
  functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST',
  maximumRetryAttempts: 2,
  maximumEventAgeMs: 6 * 3600_000,
  onSuccess: 'arn:good',
  onFailure: 'arn:bad',
  deadLetter: 'arn:dead',
};

/** A poller on a clock that moves by hand, over a function that answers from a list. */
function bench(answers: EventResult[], given: Partial<EventPolicy> = {}) {
  const clock = new VirtualClock(1_763_700_000_000);
  const store = new MemoryEventQueue();
  const attemptsMs: number[] = [];
  const delivered: Delivery[] = [];
  const startMs = clock.nowMs();
  let deliveryFailures = 0;
  const options: PollerOptions = {
    store,
    clock,
    logger: noLogger,
    functions: {
      resolve: async () => ({
        policy: { ...policy, ...given },
        invoke: async () => {
          attemptsMs.push(clock.nowMs() - startMs);
          return answers.shift() ?? ok;
        },
      }),
    },
    destinations: {
      deliver: async (delivery) => {
        if (deliveryFailures-- > 0) throw new SluiceError('DEADLINE_EXCEEDED', 'no answer');
        delivered.push(delivery);
      },
    },
  };
  const poller = new Poller(options);
  return {
    store,
    attemptsMs,
    delivered,
    clock,
    failDeliveries: (count: number) => {
      deliveryFailures = count;
    },
    enqueue: () => store.enqueue(eventOf(1, { receivedMs: clock.nowMs() })),
    /** Lets time pass, in steps, and everything that falls due run. */
    async pass(totalMs: number, stepMs = 1000) {
      poller.wake();
      for (let ms = 0; ms <= totalMs; ms += stepMs) {
        for (let i = 0; i < 20; i++) await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
        clock.jump(stepMs);
      }
    },
  };
}

describe('the poller', () => {
  test('runs an event and tells the destination', async () => {
    const { enqueue, pass, delivered, store } = bench([ok]);
    await enqueue();
    await pass(2000);
    assert.equal((await store.stats()).events, 0);
    assert.equal(delivered.length, 1);
    assert.deepEqual([delivered[0]?.kind, delivered[0]?.target], ['destination', 'arn:good']);
    const { timestamp, ...record } = JSON.parse(delivered[0]?.body ?? '') as Record<
      string,
      unknown
    >;
    assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(record, {
      version: '1.0',
      requestContext: {
        requestId: 'r-1',
        functionArn: policy.functionArn,
        condition: 'Success',
        approximateInvokeCount: 1,
      },
      requestPayload: { n: 1 },
      responseContext: { statusCode: 200, executedVersion: '$LATEST' },
      responsePayload: { y: 2 },
    });
  });

  test('runs a failing event again after one minute and after two more', async () => {
    const { enqueue, pass, attemptsMs, delivered, store } = bench([failed, failed, failed]);
    await enqueue();
    await pass(5 * 60_000);
    assert.equal(attemptsMs.length, 3);
    const [first = 0, second = 0, third = 0] = attemptsMs;
    assert.ok(Math.abs(second - first - 60_000) <= 2000, `${attemptsMs}`);
    assert.ok(Math.abs(third - second - 120_000) <= 2000, `${attemptsMs}`);
    assert.deepEqual(
      delivered.map(({ kind, target }) => [kind, target]),
      [
        ['destination', 'arn:bad'],
        ['dead-letter', 'arn:dead'],
      ],
    );
    const record = JSON.parse(delivered[0]?.body ?? '') as { requestContext: object };
    assert.deepEqual(record.requestContext, {
      requestId: 'r-1',
      functionArn: policy.functionArn,
      condition: 'RetriesExhausted',
      approximateInvokeCount: 3,
    });
    assert.equal(delivered[1]?.body, '{"n":1}');
    assert.deepEqual(delivered[1]?.attributes, {
      RequestID: 'r-1',
      ErrorCode: '200',
      ErrorMessage: 'no',
    });
    const [failure] = await store.failures('000000000000', 1);
    assert.equal(failure?.condition, 'RetriesExhausted');
  });

  test('backs off while it is refused, and does not count that as an attempt', async () => {
    const refused: EventResult = { kind: 'refused' };
    const { enqueue, pass, attemptsMs, delivered } = bench([
      refused,
      refused,
      refused,
      refused,
      ok,
    ]);
    await enqueue();
    await pass(40_000, 100);
    const gaps = attemptsMs.slice(1).map((at, i) => Math.round((at - (attemptsMs[i] ?? 0)) / 1000));
    assert.deepEqual(gaps, [1, 2, 4, 8]);
    const record = JSON.parse(delivered[0]?.body ?? '') as {
      requestContext: { approximateInvokeCount: number };
    };
    assert.equal(record.requestContext.approximateInvokeCount, 1);
  });

  test('runs another function’s event at once beside a slow one with many', async () => {
    const clock = new VirtualClock(1_763_700_000_000);
    const store = new MemoryEventQueue();
    const ran: string[] = [];
    const poller = new Poller({
      ...{ store, clock, logger: noLogger },
      functions: {
        resolve: async ({ functionName }) => ({
          policy,
          invoke: async () => {
            ran.push(functionName);
            if (functionName === 'slow') await clock.sleep(900_000);
            return ok;
          },
        }),
      },
      destinations: { deliver: async () => {} },
    });
    const receivedMs = clock.nowMs();
    for (let n = 0; n < 1000; n++) {
      await store.enqueue(eventOf(n, { functionName: 'slow', receivedMs }));
    }
    poller.wake();
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 20; i++) await settle();
    const slow = ran.length;
    assert.ok(slow > 1 && slow <= limits.queue.invokesAtOnce / 2, `${slow} slow ones at once`);
    for (let n = 0; n < 20; n++) {
      const functionName = `quick-${n}`;
      await store.enqueue(eventOf(n, { functionName, receivedMs }));
      poller.wake();
      for (let i = 0; i < 5; i++) await settle();
      assert.equal(ran.at(-1), functionName);
    }
  });

  test('tells nobody of an ending that is not in the store yet', async () => {
    const clock = new VirtualClock(1_763_700_000_000);
    const store = new MemoryEventQueue();
    const order: string[] = [];
    let stored = () => {};
    const save = store.save.bind(store);
    store.save = async (eventId, progress, release) => {
      order.push(
        `save ${progress.ending?.condition}, ${progress.ending?.deliveries.length} to tell`,
      );
      await new Promise<void>((resolve) => {
        stored = resolve;
      });
      await save(eventId, progress, release);
      order.push('saved');
    };
    const poller = new Poller({
      ...{ store, clock, logger: noLogger },
      functions: { resolve: async () => ({ policy, invoke: async () => ok }) },
      destinations: { deliver: async ({ target }) => void order.push(`tell ${target}`) },
    });
    await store.enqueue(eventOf(1, { receivedMs: clock.nowMs() }));
    poller.wake();
    await clock.advance(60_000);
    assert.deepEqual(order, ['save Success, 1 to tell'], 'nobody is told while it is being saved');
    stored();
    await clock.advance(0);
    assert.deepEqual(order.slice(1), ['saved', 'tell arn:good']);
    assert.equal((await store.stats()).events, 0);
    await poller.close();
  });

  test('gives up an event that has grown too old', async () => {
    const refused: EventResult[] = Array.from({ length: 99 }, () => ({ kind: 'refused' }));
    const { enqueue, pass, delivered, store } = bench(refused, { maximumEventAgeMs: 60_000 });
    await enqueue();
    await pass(300_000, 1000);
    const record = JSON.parse(delivered[0]?.body ?? '') as { requestContext: object };
    assert.match(JSON.stringify(record.requestContext), /"EventAgeExceeded"/);
    assert.ok(!('responseContext' in record));
    assert.equal((await store.stats()).events, 0);
  });

  test('tells of an event that grew too old what its last run answered', async () => {
    const refused: EventResult[] = Array.from({ length: 99 }, () => ({ kind: 'refused' }));
    const { enqueue, pass, delivered } = bench([failed, ...refused], {
      maximumEventAgeMs: 90_000,
    });
    await enqueue();
    await pass(300_000, 1000);
    const [destination, deadLetter] = delivered;
    const record = JSON.parse(destination?.body ?? '') as Record<string, object>;
    assert.match(JSON.stringify(record['requestContext']), /"EventAgeExceeded"/);
    const responseContext = { statusCode: 200, executedVersion: '$LATEST' };
    assert.deepEqual(record['responseContext'], {
      ...responseContext,
      functionError: 'Unhandled',
    });
    assert.deepEqual(record['responsePayload'], { errorType: 'E', errorMessage: 'no' });
    assert.equal(deadLetter?.attributes['ErrorMessage'], 'no');
  });

  test('gives up at once where the reserved concurrency is zero', async () => {
    const { enqueue, pass, delivered } = bench([{ kind: 'switched-off' }]);
    await enqueue();
    await pass(2000);
    const record = JSON.parse(delivered[0]?.body ?? '') as { requestContext: object };
    assert.deepEqual(record.requestContext, {
      requestId: 'r-1',
      functionArn: policy.functionArn,
      condition: 'ZeroReservedConcurrency',
      approximateInvokeCount: 0,
    });
  });

  test('delivers again what could not be delivered, for a while', async () => {
    const once = bench([ok]);
    once.failDeliveries(2);
    await once.enqueue();
    await once.pass(60_000);
    assert.equal(once.delivered.length, 1);
    const never = bench([ok]);
    never.failDeliveries(99);
    await never.enqueue();
    await never.pass(20 * 60_000);
    assert.equal(never.delivered.length, 0);
    assert.equal((await never.store.stats()).events, 0);
  });
});

/** Polls `store` until it is empty or `lifeMs` are over, as one life of a region would. */
function startLife(
  store: SqliteEventQueue,
  run: (event: StoredEvent) => EventResult,
  done: (delivery: Delivery, event: StoredEvent) => void,
): Poller {
  const poller = new Poller({
    store,
    clock: systemClock,
    logger: noLogger,
    invokesAtOnce: 4,
    times: { retryDelaysMs: [1, 2], backoffMinMs: 1, backoffMaxMs: 5 },
    functions: {
      resolve: async (event) => ({
        policy,
        invoke: async () => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          return run(event);
        },
      }),
    },
    destinations: { deliver: async (delivery, event) => done(delivery, event) },
  });
  poller.wake();
  return poller;
}

async function surviveCrashes(t: TestContext, path: string, plan: number[], events: number) {
  const acknowledged = new Set<string>();
  const ended = new Map<string, string>();
  const runs = new Map<string, number>();
  const run = (event: StoredEvent): EventResult => {
    const count = (runs.get(event.requestId) ?? 0) + 1;
    runs.set(event.requestId, count);
    const n = Number(event.requestId.slice(2));
    if (n % 5 === 0) return failed;
    return n % 3 === 0 && count === 1 ? { kind: 'refused' } : ok;
  };
  const done = (delivery: Delivery, event: StoredEvent) => {
    if (delivery.kind === 'destination') ended.set(event.requestId, delivery.target);
  };
  let n = 0;
  for (const [life, lifeMs] of plan.entries()) {
    const store = await SqliteEventQueue.open({ path });
    const poller = startLife(store, run, done);
    const accepted: Promise<unknown>[] = [];
    for (let i = 0; i < events; i++) {
      const event = eventOf(n++, { receivedMs: Date.now() });
      const asked = store.enqueue(event).then(() => acknowledged.add(event.requestId));
      asked.then(() => poller.wake()).catch(() => {});
      accepted.push(asked);
    }
    // However busy the machine is, one life gets as far as that.
    if (life === 0) await Promise.any(accepted);
    await new Promise((resolve) => setTimeout(resolve, lifeMs));
    await store.kill();
    await poller.close();
  }
  const store = await SqliteEventQueue.open({ path });
  t.after(() => store.close());
  const poller = startLife(store, run, done);
  for (let i = 0; i < 20_000 && (await store.stats()).events > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await poller.close();
  for (const requestId of acknowledged) {
    const expected = Number(requestId.slice(2)) % 5 === 0 ? 'arn:bad' : 'arn:good';
    assert.equal(ended.get(requestId), expected, `${requestId}: acknowledged, so run to its end`);
    assert.ok((runs.get(requestId) ?? 0) >= (expected === 'arn:bad' ? 3 : 1));
  }
  return acknowledged.size;
}

test('an acknowledged event is run to its end through crashes at any moment', async (t) => {
  let acknowledged = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 4 }),
      async (plan) => {
        const path = join(temporaryDirectory(t, 'crash'), 'events.sqlite');
        acknowledged += await surviveCrashes(t, path, plan, 20);
      },
    ),
    { numRuns: 8 },
  );
  assert.ok(acknowledged > 0, 'some events were acknowledged before the crashes');
});
