import type { Inode } from './tree.ts';

/** A block says in 32 bits how many inodes share it; Linux lets it be no more than this. */
const SHARERS_MAX = 1024;
const REFERENCE_COUNT_OFFSET = 4;

/** Attribute blocks, one for all inodes that have equal ones. */
export class XattrBlocks {
  readonly #sharers = new Map<Buffer, Inode[]>();
  readonly #blockOf = new Map<Inode, number>();
  readonly blocks: number[] = [];

  /** @param block the same object for equal blocks */
  use(block: Buffer, inode: Inode): void {
    const sharers = this.#sharers.get(block);
    if (sharers) sharers.push(inode);
    else this.#sharers.set(block, [inode]);
  }

  /** Writes all blocks, in the order of their first use. */
  write(append: (block: Buffer) => number): void {
    for (const [content, sharers] of this.#sharers) {
      for (let i = 0; i < sharers.length; i += SHARERS_MAX) {
        const group = sharers.slice(i, i + SHARERS_MAX);
        const block = Buffer.from(content);
        block.writeUInt32LE(group.length, REFERENCE_COUNT_OFFSET);
        const at = append(block);
        this.blocks.push(at);
        for (const inode of group) this.#blockOf.set(inode, at);
      }
    }
  }

  blockOf(inode: Inode): number | undefined {
    return this.#blockOf.get(inode);
  }
}
