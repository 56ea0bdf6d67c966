import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type Clock,
  type Logger,
  limits,
  type Random,
  SluiceError,
  type Timer,
} from '../base/mod.ts';
import { type DataDirectory, lockFile } from '../config/mod.ts';
import type { Origin, OriginHolder, OriginPlace } from '../origin/mod.ts';

/** What one running region has of its origin, and no other region at the same time. */
export interface RegionHold {
  /** Aborted, with `REGION_MISMATCH` as its reason, when another region has taken over. */
  readonly lost: AbortSignal;
  /** Rejects with `REGION_MISMATCH` when another region has taken over. */
  check(): Promise<void>;
  /** Lets the next region start at once. */
  release(): Promise<void>;
}

export interface NotedHoldOptions {
  readonly owner: Pick<Origin['owner'], 'readHolder' | 'writeHolder'>;
  /** The same for a region that only one process can run, and its dead predecessor. */
  readonly place: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface HoldOptions extends Omit<NotedHoldOptions, 'owner' | 'place'> {
  readonly data: DataDirectory;
  readonly place: OriginPlace;
  readonly origin: Pick<Origin, 'owner'>;
}

const RELEASED = '-';

/**
 * Takes the origin for one running region. Rejects with `REGION_MISMATCH` where another has it: two
 * that run on copies of one data directory have the same id and the same generation, and each would
 * take what the other stores for garbage.
 */
export async function holdOrigin(options: HoldOptions): Promise<RegionHold> {
  const { data, place, origin, clock, random, logger } = options;
  if (place.kind === 'directory') return lockedHold(join(place.directory, 'owner', 'lock'));
  const tools = { clock, random, logger };
  return await NotedHold.take({ owner: origin.owner, place: placeOf(data), ...tools });
}

/** In a directory the kernel's own lock says who has it, and drops it with the process. */
function lockedHold(path: string): RegionHold {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = lockFile(path);
  if (!lock) throw taken(dirname(dirname(path)));
  return {
    lost: new AbortController().signal,
    check: async () => {},
    release: async () => lock.release(),
  };
}

/**
 * In an object store the holder writes a note every `limits.origin.holdBeatMs`. Who finds another's
 * note watches whether it changes, by its own monotonic clock: no two clocks are ever compared. One
 * that stood still for so long that another took over finds that one's note, and is out.
 */
export class NotedHold implements RegionHold {
  readonly #options: NotedHoldOptions;
  readonly #id: string;
  readonly #lost = new AbortController();
  #beats = 0;
  #timer: Timer | undefined;
  #beating: Promise<void> = Promise.resolve();

  private constructor(options: NotedHoldOptions) {
    this.#options = options;
    this.#id = options.random.uuid();
  }

  static async take(options: NotedHoldOptions): Promise<NotedHold> {
    const hold = new NotedHold(options);
    await hold.#becomeFree();
    await hold.#write();
    hold.#arm();
    return hold;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async check(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const holder = await this.#options.owner.readHolder();
    if (holder?.id === this.#id) return;
    const error = taken('the origin');
    this.#lost.abort(error);
    throw error;
  }

  async release(): Promise<void> {
    this.#timer?.cancel();
    await this.#beating;
    const isMine = await this.check().then(
      () => true,
      () => false,
    );
    if (!isMine) return;
    await this.#options.owner.writeHolder({ id: this.#id, beat: this.#beats, place: RELEASED });
  }

  /** Waits until whoever noted itself has been silent for long enough. */
  async #becomeFree(): Promise<void> {
    const { owner, place, clock, logger } = this.#options;
    const { holdBeatMs, holdWatchMs } = limits.origin;
    const first = await owner.readHolder();
    if (!first || isFree(first, place)) return;
    logger.warn({ watchMs: holdWatchMs }, 'the origin was not released; is its region running?');
    const untilMs = clock.monotonicMs() + holdWatchMs;
    while (clock.monotonicMs() < untilMs) {
      await clock.sleep(holdBeatMs / 2);
      const now = await owner.readHolder();
      if (!now || isFree(now, place)) return;
      if (now.id !== first.id || now.beat !== first.beat) throw taken('the origin');
    }
  }

  async #write(): Promise<void> {
    const { owner, place } = this.#options;
    await owner.writeHolder({ id: this.#id, beat: ++this.#beats, place });
  }

  #arm(): void {
    const { clock, logger } = this.#options;
    this.#timer = clock.setTimer(limits.origin.holdBeatMs, () => {
      this.#beating = this.check()
        .then(() => this.#write())
        .catch((error) => logger.error({ error }, 'the hold on the origin was not renewed'))
        .finally(() => {
          if (!this.#lost.signal.aborted) this.#arm();
        });
    });
  }
}

function isFree(holder: OriginHolder, place: string): boolean {
  return holder.place === RELEASED || holder.place === place;
}

/**
 * This boot of this host and this folder of state, not a copy of it: whoever holds its data
 * directory's lock knows that what noted the same place is dead.
 */
function placeOf({ state }: DataDirectory): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const { dev, ino } = statSync(state, { bigint: true });
  return createHash('sha256').update(`${boot} ${dev} ${ino}`).digest('hex').slice(0, 32);
}

function taken(what: string): SluiceError {
  return new SluiceError(
    'REGION_MISMATCH',
    `${what}: another region is running on it, from a copy of this data directory; stop that one, or choose another origin for this`,
  );
}
