import { statfsSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  type Gauge,
  type Logger,
  limits,
  type Meter,
  MIB,
  type Timer,
} from '../base/mod.ts';

/** Of the file system that holds a path. */
export interface DiskSpace {
  readonly availableBytes: number;
  readonly totalBytes: number;
}

export interface DiskGuardOptions {
  /** Where the databases rest, and the reserve beside them. */
  readonly stateDirectory: string;
  /** Others that a region writes to, which may be on file systems of their own. */
  readonly others?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** Asked instead of the kernel, by tests. */
  readonly spaceOf?: (path: string) => DiskSpace;
}

export function diskSpaceOf(path: string): DiskSpace {
  const { bavail, blocks, bsize } = statfsSync(path);
  return { availableBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** What nothing that can be refused may take of a file system. */
export function floorOf({ totalBytes }: DiskSpace): number {
  const { diskFloorPart, diskFloorBytesMost } = limits.host;
  return Math.min(diskFloorPart * totalBytes, diskFloorBytesMost);
}

/**
 * Watches the disk of the databases, and others that are written to. Below a floor what takes room is refused, which leaves the rest
 * to deletes and to what runs already. A reserve beside the databases is given back when even that is
 * gone, so that a delete can always be written, and made again when there is room.
 */
export class DiskGuard {
  readonly #options: DiskGuardOptions;
  readonly #reserve: string;
  readonly #gauge: Gauge;
  #timer: Timer | undefined;
  #work: Promise<void> = Promise.resolve();
  #isLow = false;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
    this.#reserve = join(options.stateDirectory, 'reserve');
    const help = 'Bytes that the file system of the databases has left.';
    this.#gauge = options.meter.gauge('sluice_disk_available_bytes', help);
    this.#look();
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#work;
  }

  #look(): void {
    const { stateDirectory, others = [], spaceOf = diskSpaceOf, clock, logger } = this.#options;
    const space = spaceOf(stateDirectory);
    const { availableBytes } = space;
    this.#gauge.set(availableBytes);
    const floorBytes = floorOf(space);
    const isBelow = (directory: string) => {
      const there = spaceOf(directory);
      return there.availableBytes < floorOf(there);
    };
    const low = [stateDirectory, ...others].find(isBelow);
    if ((low !== undefined) !== this.#isLow) {
      this.#isLow = low !== undefined;
      const fields = { directory: low ?? stateDirectory, availableBytes, floorBytes };
      if (low !== undefined)
        logger.error(fields, 'the disk is about full: starts, creates and events are refused');
      else logger.warn(fields, 'the disk has room again');
    }
    this.#work = this.#work
      .then(() => this.#keepReserve(availableBytes, floorBytes))
      .catch((error) => {
        logger.warn({ error }, 'the reserve beside the databases could not be kept');
      });
    this.#timer = clock.setTimer(limits.host.diskWatchMs, () => this.#look());
  }

  async #keepReserve(availableBytes: number, floorBytes: number): Promise<void> {
    const { stateReserveBytes } = limits.host;
    const found = await stat(this.#reserve).catch(() => undefined);
    if (availableBytes < stateReserveBytes / 2) {
      if (!found) return;
      await rm(this.#reserve);
      this.#options.logger.error(
        { bytes: found.size },
        'the disk is full: the reserve is given back',
      );
    } else if (
      availableBytes > floorBytes + stateReserveBytes &&
      found?.size !== stateReserveBytes
    ) {
      await this.#makeReserve();
    }
  }

  async #makeReserve(): Promise<void> {
    const file = await open(this.#reserve, 'w', 0o600);
    try {
      const part = Buffer.alloc(MIB);
      for (let at = 0; at < limits.host.stateReserveBytes; at += part.length)
        await file.write(part);
    } finally {
      await file.close();
    }
  }
}
