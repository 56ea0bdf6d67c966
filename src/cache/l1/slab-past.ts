import type { FileHandle } from 'node:fs/promises';
import type { ChunkName } from '../../seal/mod.ts';

/** Twice as many as a set holds: so long a chunk's last use is remembered once it is evicted. */
const WAYS = 32;
/** A name and the time of its last use; all zero is an empty one. */
const ENTRY_BYTES = 40;
const NAME_BYTES = 32;

interface Used {
  readonly name: ChunkName;
  readonly latestMs: number;
}

/**
 * The last uses of what a slab has evicted, set by set in a file that all agents share as they share
 * the slab's index (LRU-K's retained information: O'Neil, O'Neil, Weikum, SIGMOD'93, section 2.1.2).
 * Without it a chunk whose set is full of others would never get its second use counted, however
 * often a start reads it. Torn or lost entries make a chunk new again, and nothing worse.
 */
export class SlabPast {
  readonly #file: Pick<FileHandle, 'read' | 'write' | 'close'>;

  constructor(file: Pick<FileHandle, 'read' | 'write' | 'close'>) {
    this.#file = file;
  }

  /**
   * Remembers `evicted` in the stead of the one that was used longest ago, forgets `name`, and
   * answers when that was used last; 0 when it is not known.
   */
  async exchange(set: number, name: ChunkName, evicted: Used): Promise<number> {
    const bytes = Buffer.alloc(WAYS * ENTRY_BYTES);
    const at = set * bytes.length;
    await this.#file.read(bytes, 0, bytes.length, at);
    const entries = Array.from({ length: WAYS }, (_, way) => ({
      name: bytes.toString('hex', way * ENTRY_BYTES, way * ENTRY_BYTES + NAME_BYTES),
      latestMs: bytes.readDoubleLE(way * ENTRY_BYTES + NAME_BYTES),
    }));
    const known = entries.findIndex((entry) => entry.name === name && entry.latestMs > 0);
    const oldest = entries.reduce(
      (worst, entry, way) => (entry.latestMs < entries[worst]!.latestMs ? way : worst),
      0,
    );
    const way = known >= 0 ? known : oldest;
    if (known < 0 && evicted.latestMs === 0) return 0;
    const entry = Buffer.alloc(ENTRY_BYTES);
    if (evicted.latestMs > 0) {
      entry.write(evicted.name, 'hex');
      entry.writeDoubleLE(evicted.latestMs, NAME_BYTES);
    }
    await this.#file.write(entry, 0, ENTRY_BYTES, at + way * ENTRY_BYTES);
    return known >= 0 ? entries[known]!.latestMs : 0;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
