import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Meter, noMeter, SluiceError } from '../base/mod.ts';
import type { Delivery, QueueMessage, SourceMapping, StoredEvent } from '../queue/mod.ts';
import {
  meteredBatches,
  meteredDestinations,
  meteredEvents,
  meteredSource,
} from './metered-queues.ts';

/** A meter that remembers what was counted, by name and labels. */
function counting() {
  const counts: Record<string, number> = {};
  const counter: Meter['counter'] = (name) => ({
    add(value = 1, labels = {}) {
      const key = [name.replace('sluice_', ''), ...Object.values(labels)].join(' ');
      counts[key] = (counts[key] ?? 0) + value;
    },
  });
  return { counts, meter: { ...noMeter, counter } };
}

test('what goes through is counted and left as it is', async () => {
  const { counts, meter } = counting();
  const message = { messageId: 'm' } as QueueMessage;
  const queue = { eventSourceArn: 'q', accountId: 'a' };
  const source = meteredSource(
    { receive: async () => [message, message], remove: async () => {} },
    meter,
  );
  const request = { count: 10, waitSeconds: 1 };
  const got = await source.receive(queue, request, new AbortController().signal);
  assert.deepEqual(got, [message, message]);
  await source.remove(queue, [message]);
  const invoker = meteredBatches(
    { ready: async () => true, invoke: async () => ({ kind: 'function-error' }) },
    meter,
  );
  assert.equal(await invoker.ready({} as SourceMapping), true);
  await invoker.invoke({} as SourceMapping, Buffer.alloc(0));
  const policy = { functionArn: 'f', maximumRetryAttempts: 0, maximumEventAgeMs: 0 };
  const attempt = { policy, invoke: async () => ({ kind: 'refused' }) as const };
  const functions = meteredEvents({ resolve: async () => attempt }, meter);
  const resolved = await functions.resolve({} as StoredEvent);
  assert.equal(resolved?.policy, policy);
  await resolved.invoke();
  assert.deepEqual(counts, {
    source_messages_received_total: 2,
    source_messages_removed_total: 1,
    'source_batches_total function-error': 1,
    'async_runs_total refused': 1,
  });
});

test('a delivery that fails is counted as such, and still fails', async () => {
  const { counts, meter } = counting();
  let fails = true;
  const destinations = meteredDestinations(
    {
      async deliver() {
        if (fails) throw new SluiceError('API_REFUSED', 'no');
      },
    },
    meter,
  );
  const delivery = { kind: 'dead-letter' } as Delivery;
  await assert.rejects(destinations.deliver(delivery, {} as StoredEvent));
  fails = false;
  await destinations.deliver(delivery, {} as StoredEvent);
  assert.deepEqual(counts, {
    'async_deliveries_total dead-letter failed': 1,
    'async_deliveries_total dead-letter delivered': 1,
  });
});
