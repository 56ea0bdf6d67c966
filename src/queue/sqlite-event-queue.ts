import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { assert, isSluiceError, limits, SluiceError, toSluiceError } from '../base/mod.ts';
import type { OnDamaged } from '../database/mod.ts';
import type {
  Arguments,
  QueueOperation,
  Result,
  ThreadAnswer,
  ThreadRequest,
  ThreadSettings,
} from './sqlite-protocol.ts';
import type {
  AsyncEvent,
  EventCapacity,
  EventProgress,
  EventStore,
  FailedEvent,
  QueueStats,
  StoredEvent,
} from './types.ts';

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Events in one SQLite file; a thread of its own writes them, and commits before it answers. */
export class SqliteEventQueue implements EventStore {
  readonly #thread: Worker;
  readonly #onDamaged: OnDamaged;
  readonly #calls = new Map<number, PendingCall>();
  #callsEver = 0;
  #closed = false;

  private constructor(thread: Worker, path: string, onDamaged: OnDamaged) {
    this.#thread = thread;
    this.#onDamaged = onDamaged;
    thread.on('message', (answer: ThreadAnswer) => this.#settle(answer));
    thread.on('error', (error) => this.#fail(toSluiceError(error, 'STORE_CORRUPT')));
    thread.on('exit', () => this.#fail(new SluiceError('CANCELLED', `${path}: queue closed`)));
  }

  /**
   * Rejects as `openDatabase` throws: `STORE_CORRUPT` when the file is no queue of ours or a newer Sluice's. A record that
   * cannot be read is reported; an event is set aside with it, and told of again at each start.
   */
  static async open(
    options: { path: string; onDamaged?: OnDamaged } & EventCapacity,
  ): Promise<SqliteEventQueue> {
    const { path, events = limits.queue.events, failures = limits.queue.failures } = options;
    const { bytes = limits.queue.bytes } = options;
    const workerData: ThreadSettings = { path, capacity: { events, failures, bytes } };
    const thread = new Worker(new URL('./sqlite-thread.ts', import.meta.url), { workerData });
    try {
      const [answer] = (await once(thread, 'message')) as [ThreadAnswer];
      if (typeof answer === 'object' && 'refused' in answer) throw SluiceError.of(answer.refused);
      assert(answer === 'open', 'the thread first says that it is open');
    } catch (error) {
      if (isSluiceError(error)) throw error;
      throw new SluiceError('STORE_CORRUPT', `${path}: cannot be opened as an event queue`, {
        data: { path },
        cause: error,
      });
    }
    return new SqliteEventQueue(thread, path, options.onDamaged ?? (() => {}));
  }

  enqueue(event: AsyncEvent): Promise<void> {
    return this.#call('enqueue', event);
  }

  async claim(nowMs: number, limit: number): Promise<StoredEvent[]> {
    const events = await this.#call('claim', nowMs, limit);
    return events.map(asStored);
  }

  save(eventId: number, progress: EventProgress, release: boolean): Promise<void> {
    return this.#call('save', eventId, progress, release);
  }

  remove(eventId: number, failure?: FailedEvent): Promise<void> {
    return this.#call('remove', eventId, failure);
  }

  nextDueMs(): Promise<number | undefined> {
    return this.#call('nextDueMs');
  }

  failures(accountId: string, limit: number): Promise<FailedEvent[]> {
    return this.#call('failures', accountId, limit);
  }

  shift(byMs: number): Promise<void> {
    return this.#call('shift', byMs);
  }

  stats(): Promise<QueueStats> {
    return this.#call('stats');
  }

  /** What was asked before is still answered. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const exited = once(this.#thread, 'exit');
    this.#thread.postMessage('close' satisfies ThreadRequest);
    await exited;
  }

  /** Ends the thread as a crash would; what was not committed is lost, and what was is not. */
  async kill(): Promise<void> {
    this.#closed = true;
    await this.#thread.terminate();
  }

  #call<O extends QueueOperation>(operation: O, ...args: Arguments<O>): Promise<Result<O>> {
    if (this.#closed) return Promise.reject(new SluiceError('CANCELLED', 'the queue is closed'));
    const id = ++this.#callsEver;
    return new Promise<Result<O>>((resolve, reject) => {
      this.#calls.set(id, { resolve: (value) => resolve(value as Result<O>), reject });
      this.#thread.postMessage({ id, operation, args } satisfies ThreadRequest);
    });
  }

  #settle(answer: ThreadAnswer): void {
    if (answer === 'open' || 'refused' in answer) return;
    if ('damaged' in answer) {
      this.#onDamaged(answer.damaged, SluiceError.of(answer.error));
      return;
    }
    for (const { id, value, error } of answer) {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.reject(SluiceError.of(error));
      else call?.resolve(value);
    }
  }

  #fail(error: SluiceError): void {
    this.#closed = true;
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

/** Buffers come out of the thread as plain bytes. */
function asStored(event: StoredEvent): StoredEvent {
  const { payload, lastAnswer } = event;
  const stored = { ...event, payload: asBuffer(payload) };
  if (!lastAnswer) return stored;
  return { ...stored, lastAnswer: { ...lastAnswer, payload: asBuffer(lastAnswer.payload) } };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
