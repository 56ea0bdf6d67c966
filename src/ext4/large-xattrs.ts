import { addRun } from './extent.ts';
import { BLOCK_SIZE_BYTES } from './format.ts';
import { Inode } from './tree.ts';
import { type LargeValue, largeValueHash } from './xattr.ts';

/** Where an entry of an attribute block says which inode has its value. */
const VALUE_INODE_OFFSET = 4;

/**
 * Inodes that hold one attribute's value each, for values that an attribute block has no room for
 * (ext4's `ea_inode`). They have numbers behind all others and no name.
 */
export class LargeXattrs {
  readonly inodes: Inode[] = [];
  #nextNumber: number;

  /** @param nextNumber the first inode number that nothing has */
  constructor(nextNumber: number) {
    this.#nextNumber = nextNumber;
  }

  /** Gives each value an inode, and the block's entries their numbers. */
  store(block: Buffer, large: readonly LargeValue[], append: (blocks: Buffer) => number): void {
    for (const { entryAt, value } of large) {
      const inode = new Inode('file', 0);
      inode.number = this.#nextNumber++;
      inode.mode = 0o600;
      inode.linkCount = 1;
      inode.sizeBytes = value.length;
      inode.valueHash = largeValueHash(value);
      const blocks = Math.ceil(value.length / BLOCK_SIZE_BYTES);
      const padded = Buffer.alloc(blocks * BLOCK_SIZE_BYTES);
      value.copy(padded);
      inode.runs = addRun(undefined, 0, append(padded), blocks);
      this.inodes.push(inode);
      block.writeUInt32LE(inode.number, entryAt + VALUE_INODE_OFFSET);
    }
  }
}
