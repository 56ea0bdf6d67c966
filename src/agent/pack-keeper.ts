import {
  assert,
  CHUNK_SIZE_BYTES,
  type Clock,
  type Counter,
  type Logger,
  limits,
  type Meter,
  type Timer,
} from '../base/mod.ts';
import type { AccessLog, BuiltPack, Device } from '../device/mod.ts';
import type { PackStore } from '../origin/mod.ts';
import type { ChunkSink } from '../seal/mod.ts';

export interface PackKeeperOptions {
  readonly origin: ChunkSink & Pick<PackStore, 'putPack'>;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** A pack to be made: of a start's log, from the device that it started on. */
export interface PackJob {
  readonly log: AccessLog;
  readonly rootId: string;
  readonly accountId: string;
  readonly device: Pick<Device, 'pack'>;
  /** There is one that no longer fits. */
  readonly isRenewed: boolean;
}

/**
 * Has start packs made by the agents that show the disks, and puts them, sealed as they come, into
 * the origin. It is work for later starts: some time after the start that it was learnt from, and
 * one pack at a time.
 */
export class PackKeeper {
  readonly #options: PackKeeperOptions;
  readonly #packs: Counter;
  readonly #bytes: Counter;
  /**
   * Since when the packs of disks wait or are there, by the clock's monotonic milliseconds: many
   * starts of one disk end together, and a tenant may start one differently each time.
   */
  readonly #known = new Map<string, number>();
  readonly #jobs: PackJob[] = [];
  #timer: Timer | undefined;
  #making: Promise<void> | undefined;
  #closed = false;

  constructor(options: PackKeeperOptions) {
    this.#options = options;
    this.#packs = options.meter.counter(
      'sluice_start_packs_total',
      'Start packs, by outcome: made; failed; skipped, since enough wait to be made.',
      ['outcome'],
    );
    this.#bytes = options.meter.counter(
      'sluice_start_pack_bytes_total',
      'Bytes of the chunks of start packs that were made.',
    );
  }

  /** Makes it later, if its device is open then; if it is not, a later start has it made. */
  keep(job: PackJob): void {
    const key = keyOf(job);
    const nowMs = this.#options.clock.monotonicMs();
    const sinceMs = this.#known.get(key);
    const mayRenew = job.isRenewed && nowMs - (sinceMs ?? 0) >= limits.device.packRenewMs;
    if (this.#closed || (sinceMs !== undefined && !mayRenew)) return;
    if (!this.#hasRoomFor(job)) {
      this.#packs.add(1, { outcome: 'skipped' });
      return;
    }
    this.#known.delete(key);
    this.#known.set(key, nowMs);
    const [oldest] = this.#known.keys();
    if (this.#known.size > limits.device.accessLogsKept && oldest) this.#known.delete(oldest);
    this.#jobs.push(job);
    this.#arm();
  }

  /** Resolves when nothing is being made. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#jobs.length = 0;
    await this.#making;
  }

  #hasRoomFor({ accountId }: PackJob): boolean {
    const { packsWaiting, packsWaitingPerAccount } = limits.device;
    const own = this.#jobs.filter((each) => each.accountId === accountId).length;
    return this.#jobs.length < packsWaiting && own < packsWaitingPerAccount;
  }

  #arm(): void {
    if (this.#timer || this.#making || this.#jobs.length === 0) return;
    this.#timer = this.#options.clock.setTimer(limits.device.packDelayMs, () => {
      this.#timer = undefined;
      this.#making = this.#makeNext().finally(() => {
        this.#making = undefined;
        this.#arm();
      });
    });
  }

  async #makeNext(): Promise<void> {
    const job = this.#jobs.shift();
    if (!job) return;
    const { logger } = this.#options;
    const { manifestId } = job.log;
    try {
      await this.#make(job);
      this.#packs.add(1, { outcome: 'made' });
    } catch (error) {
      this.#packs.add(1, { outcome: 'failed' });
      if (!this.#closed) logger.info({ manifestId, error }, 'a start pack was not made');
    }
  }

  async #make(job: PackJob): Promise<void> {
    const { origin } = this.#options;
    const { log, rootId } = job;
    const { index, chunks } = await this.#ask(job);
    // The agent is the tenant's if he has taken it over.
    assert(chunks.length <= limits.device.packChunks, 'a pack has a limited number of chunks');
    for (const { name, ciphertext } of chunks) {
      assert(ciphertext.length === CHUNK_SIZE_BYTES, 'a chunk of a pack has its full size');
      await origin.put({ rootId, name }, Buffer.from(ciphertext));
      this.#bytes.add(ciphertext.length);
    }
    await origin.putPack(rootId, log.manifestId, Buffer.from(index));
  }

  /** Where nothing was made, a later start has it made; where something was put, only in an hour. */
  async #ask(job: PackJob): Promise<BuiltPack> {
    try {
      return await job.device.pack(job.log.runs.map(([page, pages]) => [page, pages]));
    } catch (error) {
      this.#known.delete(keyOf(job));
      throw error;
    }
  }
}

function keyOf({ log, rootId }: PackJob): string {
  return `${rootId}/${log.manifestId}`;
}
