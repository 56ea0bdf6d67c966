import {
  type Clock,
  type Counter,
  type Logger,
  limits,
  type Meter,
  type Timer,
} from '../base/mod.ts';
import type { AccessLog, Device } from '../device/mod.ts';
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
  /** Disks whose packs wait or were made lately, since many starts of one may end together. */
  readonly #known = new Set<string>();
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
    if (this.#closed || (this.#known.has(key) && !job.isRenewed)) return;
    if (this.#jobs.length >= limits.device.packsWaiting) {
      this.#packs.add(1, { outcome: 'skipped' });
      return;
    }
    this.#known.add(key);
    const [oldest] = this.#known;
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
      this.#known.delete(keyOf(job));
      this.#packs.add(1, { outcome: 'failed' });
      if (!this.#closed) logger.info({ manifestId, error }, 'a start pack was not made');
    }
  }

  async #make({ log, rootId, device }: PackJob): Promise<void> {
    const { origin } = this.#options;
    const { index, chunks } = await device.pack(log.runs.map(([page, pages]) => [page, pages]));
    for (const { name, ciphertext } of chunks) {
      await origin.put({ rootId, name }, Buffer.from(ciphertext));
      this.#bytes.add(ciphertext.length);
    }
    await origin.putPack(rootId, log.manifestId, Buffer.from(index));
  }
}

function keyOf({ log, rootId }: PackJob): string {
  return `${rootId}/${log.manifestId}`;
}
