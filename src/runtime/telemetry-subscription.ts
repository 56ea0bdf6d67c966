import { type Clock, limits, type Timer } from '../base/mod.ts';
import type { TelemetryFlavour, TelemetryRequest, TelemetryType } from './telemetry-request.ts';
import type { TelemetryEvent } from './types.ts';

/** Where batches go; answers whether one was taken. */
export interface TelemetryReceiver {
  send(body: Buffer): Promise<boolean>;
  close(): void;
}

export interface SubscriptionOptions {
  readonly request: TelemetryRequest;
  readonly flavour: TelemetryFlavour;
  readonly receiver: TelemetryReceiver;
  readonly clock: Clock;
}

interface Item {
  readonly json: string;
  readonly sizeBytes: number;
}

const reason = 'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.';
const initPhase = /^platform\.(init|restore)/;

/**
 * What one extension is sent: events in batches, each when it is full or old enough, one batch
 * after the other. What comes faster than it takes them is dropped beyond a bound, and counted.
 */
export class TelemetrySubscription {
  readonly #options: SubscriptionOptions;
  readonly #types: ReadonlySet<TelemetryType>;
  #items: Item[] = [];
  #pendingBytes = 0;
  #dropped = { records: 0, bytes: 0 };
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#types = new Set(options.request.types);
  }

  push(event: TelemetryEvent): void {
    const translated = this.#translate(event);
    if (!translated || this.#closed) return;
    const json = JSON.stringify(translated);
    const sizeBytes = Buffer.byteLength(json);
    if (this.#pendingBytes + sizeBytes > limits.runtime.telemetryPendingBytes) {
      this.#dropped.records++;
      this.#dropped.bytes += sizeBytes;
      return;
    }
    this.#items.push({ json, sizeBytes });
    this.#pendingBytes += sizeBytes;
    const { maxItems, maxBytes, timeoutMs } = this.#options.request;
    if (this.#items.length >= maxItems || this.#pendingBytes >= maxBytes) void this.flush();
    else this.#timer ??= this.#options.clock.setTimer(timeoutMs, () => void this.flush());
  }

  /** Sends what waits; resolves when it is taken, or given up. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#items = [];
    this.#options.receiver.close();
  }

  async #sendAll(): Promise<void> {
    while (this.#items.length > 0 && !this.#closed) {
      const batch = this.#takeBatch();
      const sizeBytes = batch.reduce((sum, item) => sum + item.sizeBytes, 0);
      const taken = await this.#send(Buffer.from(`[${batch.map(({ json }) => json).join(',')}]`));
      this.#pendingBytes -= sizeBytes;
      if (!taken) {
        this.#dropped.records += batch.length;
        this.#dropped.bytes += sizeBytes;
        return;
      }
      this.#reportDropped();
    }
  }

  #takeBatch(): Item[] {
    const { maxItems, maxBytes } = this.#options.request;
    let count = 0;
    let sizeBytes = 0;
    for (const item of this.#items) {
      if (count > 0 && (count >= maxItems || sizeBytes + item.sizeBytes > maxBytes)) break;
      count++;
      sizeBytes += item.sizeBytes;
    }
    return this.#items.splice(0, count);
  }

  async #send(body: Buffer): Promise<boolean> {
    const { receiver, clock } = this.#options;
    for (let attempt = 1; !this.#closed; attempt++) {
      if (await receiver.send(body)) return true;
      if (attempt >= limits.runtime.telemetryAttempts) return false;
      await clock.sleep(limits.runtime.telemetryRetryMs);
    }
    return false;
  }

  #reportDropped(): void {
    const { records, bytes } = this.#dropped;
    if (records === 0) return;
    this.#dropped = { records: 0, bytes: 0 };
    const time = new Date(this.#options.clock.nowMs()).toISOString();
    const record = { reason, droppedRecords: records, droppedBytes: bytes };
    const json = JSON.stringify({ time, type: 'platform.logsDropped', record });
    const sizeBytes = Buffer.byteLength(json);
    this.#items.push({ json, sizeBytes });
    this.#pendingBytes += sizeBytes;
  }

  /** The event as this flavour of the API has it, or nothing if it is not among what was asked. */
  #translate(event: TelemetryEvent): TelemetryEvent | undefined {
    const isPlatform = event.type.startsWith('platform.');
    if (!this.#types.has(isPlatform ? 'platform' : (event.type as TelemetryType))) return undefined;
    if (this.#options.flavour === 'telemetry') {
      return event.type === 'platform.end' ? undefined : event;
    }
    if (initPhase.test(event.type)) return undefined;
    if (event.type !== 'platform.telemetrySubscription') return event;
    return { ...event, type: 'platform.logsSubscription' };
  }
}
