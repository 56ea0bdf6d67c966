import type { Meter } from '../base/mod.ts';
import type { BatchInvoker, Destinations, EventFunctions, MessageSource } from '../queue/mod.ts';

/** Counts the messages that queues hand out and those that are done with. */
export function meteredSource(source: MessageSource, meter: Meter): MessageSource {
  const received = meter.counter(
    'sluice_source_messages_received_total',
    'Messages that queues handed out to event source mappings.',
  );
  const removed = meter.counter(
    'sluice_source_messages_removed_total',
    'Messages that were deleted from their queues: taken by a function, or filtered out.',
  );
  return {
    async receive(queue, request, signal) {
      const messages = await source.receive(queue, request, signal);
      received.add(messages.length);
      return messages;
    },
    async remove(queue, messages) {
      await source.remove(queue, messages);
      removed.add(messages.length);
    },
  };
}

/** Counts batches by how they came out. */
export function meteredBatches(invoker: BatchInvoker, meter: Meter): BatchInvoker {
  const batches = meter.counter(
    'sluice_source_batches_total',
    'Invokes with a batch of messages, by outcome.',
    ['outcome'],
  );
  return {
    ready: (mapping) => invoker.ready(mapping),
    async invoke(mapping, payload) {
      const outcome = await invoker.invoke(mapping, payload);
      batches.add(1, { outcome: outcome.kind });
      return outcome;
    },
  };
}

/** Counts the runs of asynchronous events by how they came out. */
export function meteredEvents(functions: EventFunctions, meter: Meter): EventFunctions {
  const runs = meter.counter(
    'sluice_async_runs_total',
    'Attempts to run an asynchronous event, by outcome.',
    ['outcome'],
  );
  return {
    async resolve(event) {
      const attempt = await functions.resolve(event);
      if (!attempt) return undefined;
      return {
        policy: attempt.policy,
        invoke: async () => {
          const result = await attempt.invoke();
          runs.add(1, { outcome: result.kind });
          return result;
        },
      };
    },
  };
}

/** Counts messages to destinations and dead letter queues. */
export function meteredDestinations(destinations: Destinations, meter: Meter): Destinations {
  const deliveries = meter.counter(
    'sluice_async_deliveries_total',
    'Attempts to tell a destination or dead letter queue of the end of an event.',
    ['kind', 'outcome'],
  );
  return {
    async deliver(delivery, event) {
      const { kind } = delivery;
      try {
        await destinations.deliver(delivery, event);
        deliveries.add(1, { kind, outcome: 'delivered' });
      } catch (error) {
        deliveries.add(1, { kind, outcome: 'failed' });
        throw error;
      }
    },
  };
}
