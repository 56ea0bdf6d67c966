/**
 * The thread that owns the queue's database, so that waiting for the disk stops nobody else. It
 * takes all requests that have come while the last batch was written into the next one: however
 * many callers there are, each waits for two commits at most.
 */
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import { assert, toSluiceError, type WireError } from '../base/mod.ts';
import { SqliteEvents } from './sqlite-events.ts';
import type { ThreadAnswer, ThreadRequest, ThreadSettings } from './sqlite-protocol.ts';

function wireError(error: unknown): WireError {
  return toSluiceError(error, 'STORE_CORRUPT').toJSON();
}

type Call = Exclude<ThreadRequest, 'close'>;

function perform(events: SqliteEvents, { operation, args }: Call): unknown {
  const method = events[operation] as (...values: readonly unknown[]) => unknown;
  return method.apply(events, args as unknown[]);
}

/** One transaction. A call that its own arguments fail fails alone; the rest is committed. */
function runBatch(events: SqliteEvents, calls: readonly Call[]): ThreadAnswer {
  try {
    events.begin();
    const answers = calls.map((call) => {
      try {
        return { id: call.id, value: perform(events, call) };
      } catch (error) {
        const wire = wireError(error);
        if (wire.code !== 'OVERLOADED') throw error;
        return { id: call.id, error: wire };
      }
    });
    events.commit();
    return answers;
  } catch (error) {
    events.rolledBack();
    return calls.map(({ id }) => ({ id, error: wireError(error) }));
  }
}

function serve(port: MessagePort, { path, capacity }: ThreadSettings): void {
  const damaged: ThreadAnswer[] = [];
  let events: SqliteEvents;
  try {
    events = new SqliteEvents(path, capacity, (record, error) => {
      damaged.push({ damaged: record, error: error.toJSON() });
    });
  } catch (error) {
    // As an error event it would come without its code.
    port.postMessage({ refused: wireError(error) } satisfies ThreadAnswer);
    port.close();
    return;
  }
  const tellDamaged = () => {
    for (const each of damaged.splice(0)) port.postMessage(each);
  };
  port.on('message', (first: ThreadRequest) => {
    const requests: ThreadRequest[] = [first];
    for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) {
      requests.push(more.message as ThreadRequest);
    }
    const calls = requests.filter((request) => request !== 'close');
    if (calls.length > 0) port.postMessage(runBatch(events, calls));
    tellDamaged();
    if (calls.length < requests.length) {
      events.close();
      port.close();
    }
  });
  port.postMessage('open' satisfies ThreadAnswer);
  tellDamaged();
}

assert(parentPort, 'this module runs as a thread');
serve(parentPort, workerData as ThreadSettings);
