import assert from 'node:assert/strict';
import { limits, type VirtualClock } from '../../base/mod.ts';
import type {
  BatchInvoker,
  BatchOutcome,
  MappingBook,
  MessageSource,
  QueueMessage,
  SourceMapping,
} from './types.ts';

export const mapping: SourceMapping = {
  uuid: 'u',
  accountId: '000000000000',
  functionName: 'f',
  eventSourceArn: 'arn:aws:sqs:eu-west-1:000000000000:q',
  batchSize: 10,
  batchingWindowSeconds: 0,
  reportsItemFailures: false,
  enabled: true,
  state: 'Creating',
  revision: 1,
};

export function messageOf(n: number, change: Partial<QueueMessage> = {}): QueueMessage {
  return {
    messageId: `m${n}`,
    receiptHandle: `r${n}`,
    body: `{"n":${n}}`,
    md5OfBody: `md5 of ${n}`,
    attributes: { ApproximateReceiveCount: '1' },
    messageAttributes: {},
    ...change,
  };
}

/** A queue that hides what it hands out for 30 s, on a virtual clock. */
export class FakeSource implements MessageSource {
  readonly removed: string[] = [];
  readonly #clock: VirtualClock;
  readonly #messages = new Map<string, { message: QueueMessage; visibleAtMs: number }>();
  readonly #arrivals = new Set<() => void>();
  openReceives = 0;
  mostReceives = 0;
  failure: Error | undefined;
  removeFailure: Error | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  send(...messages: QueueMessage[]): void {
    for (const message of messages) {
      this.#messages.set(message.messageId, { message, visibleAtMs: 0 });
    }
    for (const arrived of [...this.#arrivals]) arrived();
  }

  async receive(
    _queue: object,
    { count, waitSeconds }: { count: number; waitSeconds: number },
    signal: AbortSignal,
  ): Promise<QueueMessage[]> {
    const { messagesPerReceive, receiveWaitSeconds } = limits.eventSources;
    assert.ok(count >= 1 && count <= messagesPerReceive, `${count} messages are asked for`);
    assert.ok(Number.isInteger(waitSeconds) && waitSeconds >= 1);
    assert.ok(waitSeconds <= receiveWaitSeconds);
    this.mostReceives = Math.max(this.mostReceives, ++this.openReceives);
    try {
      if (this.failure) throw this.failure;
      const endMs = this.#clock.monotonicMs() + waitSeconds * 1000;
      for (;;) {
        signal.throwIfAborted();
        const taken = this.#take(count);
        const leftMs = endMs - this.#clock.monotonicMs();
        if (taken.length > 0 || leftMs <= 0) return taken;
        await this.#changed(Math.min(leftMs, 1000), signal);
      }
    } finally {
      this.openReceives--;
    }
  }

  async remove(_queue: object, messages: readonly QueueMessage[]): Promise<void> {
    assert.ok(messages.length > 0, 'a queue refuses a delete of nothing');
    if (this.removeFailure) throw this.removeFailure;
    for (const { messageId } of messages) {
      this.#messages.delete(messageId);
      this.removed.push(messageId);
    }
  }

  get left(): number {
    return this.#messages.size;
  }

  #take(count: number): QueueMessage[] {
    const nowMs = this.#clock.monotonicMs();
    const visible = [...this.#messages.values()].filter((each) => each.visibleAtMs <= nowMs);
    return visible.slice(0, count).map((each) => {
      each.visibleAtMs = nowMs + 30_000;
      return each.message;
    });
  }

  #changed(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#arrivals.delete(done);
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.setTimer(waitMs, done);
      this.#arrivals.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** A function that answers what a test says, after a moment if asked to. */
export class FakeFunction implements BatchInvoker {
  readonly #clock: VirtualClock;
  readonly batches: { readonly messageId: string; readonly body: string }[][] = [];
  readonly events: unknown[] = [];
  isReady = true;
  takesMs = 0;
  running = 0;
  mostRunning = 0;
  answer: (batch: readonly { messageId: string }[]) => BatchOutcome = () => ({
    kind: 'ok',
    payload: Buffer.from('null'),
  });

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async ready(): Promise<boolean> {
    return this.isReady;
  }

  async invoke(_mapping: SourceMapping, payload: Buffer): Promise<BatchOutcome> {
    const event = JSON.parse(payload.toString('utf8'));
    this.events.push(event);
    this.batches.push(event.Records);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    if (this.takesMs > 0) await this.#clock.sleep(this.takesMs);
    this.running--;
    return this.answer(event.Records);
  }
}

/** Mappings in memory, settled as the store's would be. */
export class FakeBook implements MappingBook {
  readonly records = new Map<string, SourceMapping>();
  readFailure: Error | undefined;
  readonly #listeners = new Set<(uuid: string) => void>();

  put(record: SourceMapping): void {
    this.records.set(record.uuid, record);
    this.#announce(record.uuid);
  }

  async all(): Promise<readonly SourceMapping[]> {
    return [...this.records.values()];
  }

  async read(uuid: string): Promise<SourceMapping | undefined> {
    if (this.readFailure) throw this.readFailure;
    return this.records.get(uuid);
  }

  watch(listener: (uuid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async settle(uuid: string, revision: number, state: 'Enabled' | 'Disabled' | 'Deleted') {
    const current = this.records.get(uuid);
    if (current?.revision !== revision) return;
    if (state === 'Deleted') this.records.delete(uuid);
    else this.records.set(uuid, { ...current, state });
    this.#announce(uuid);
  }

  #announce(uuid: string): void {
    for (const listener of this.#listeners) listener(uuid);
  }
}

/** Lets time pass in steps, and all that falls due run. */
export async function pass(clock: VirtualClock, totalMs: number, stepMs = 100): Promise<void> {
  for (let ms = 0; ms < totalMs; ms += stepMs) {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    clock.jump(stepMs);
  }
  await new Promise((resolve) => setImmediate(resolve));
}
