import type { LargeXattrs } from './large-xattrs.ts';
import type { Inode } from './tree.ts';
import type { XattrParts } from './xattr.ts';

/** A block says in 32 bits how many inodes share it; Linux lets it be no more than this. */
const SHARERS_MAX = 1024;
const REFERENCE_COUNT_OFFSET = 4;

/** Attribute blocks, one for all inodes that have equal ones. */
export class XattrBlocks {
  readonly #sharers = new Map<XattrParts, Inode[]>();
  readonly #blockOf = new Map<Inode, number>();
  readonly blocks: number[] = [];

  /** @param parts the same object for equal attributes */
  use(parts: XattrParts, inode: Inode): void {
    const sharers = this.#sharers.get(parts);
    if (sharers) sharers.push(inode);
    else this.#sharers.set(parts, [inode]);
  }

  /** Writes all blocks, in the order of their first use, with what does not fit them. */
  write(append: (blocks: Buffer) => number, values: LargeXattrs): void {
    for (const [{ block: content, large = [] }, sharers] of this.#sharers) {
      if (!content) continue;
      for (let i = 0; i < sharers.length; i += SHARERS_MAX) {
        const group = sharers.slice(i, i + SHARERS_MAX);
        const block = Buffer.from(content);
        values.store(block, large, append);
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
