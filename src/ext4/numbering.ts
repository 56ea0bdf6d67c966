import type { ByteString } from './entry.ts';
import type { PackageIndex } from './package-index.ts';
import { placeByHash, slotsFor } from './placement.ts';
import { Directory, type Inode } from './tree.ts';

/** Numbers are given in steps of a block of the inode table, of which the first is reserved. */
const SLOTS_PER_BLOCK = 16;

export interface NamedInode {
  readonly inode: Inode;
  readonly path: ByteString;
}

/** The inodes of a package or of a directory near the root: numbered one after another. */
interface Group {
  readonly name: ByteString;
  readonly members: NamedInode[];
}

/** The group of large files, whose addresses depend on those of others, so that they change most. */
const LARGE = '\0';

/**
 * Numbers the inodes of one layer so that numbers, and with them the bytes of directories, hardly
 * depend on what else is in the layer: groups lie at hashed places in the inode table, with gaps.
 * No number depends on mtimes, nor on the order of the tar.
 */
export class Numbering {
  /** The first block of the inode table that no layer has. */
  #nextBlock = 1;

  /** Answers the layer's directories in the order in which their blocks best lie. */
  numberLayer(named: readonly NamedInode[], packages: PackageIndex): Directory[] {
    const groups = toGroups(named, packages);
    // Large groups first: to move one changes more.
    const bySize = [...groups].sort(
      (a, b) => b.members.length - a.members.length || compare(a.name, b.name),
    );
    const runs = bySize.map(({ name, members }) => ({
      key: name,
      length: Math.ceil(members.length / SLOTS_PER_BLOCK),
    }));
    const blocks = runs.reduce((sum, run) => sum + run.length, 0);
    const places = placeByHash(runs, slotsFor(blocks));
    for (const [i, { members }] of bySize.entries()) {
      const first = (this.#nextBlock + places.first[i]!) * SLOTS_PER_BLOCK;
      for (const [k, { inode }] of members.entries()) inode.number = first + k + 1;
    }
    if (runs.length > 0) this.#nextBlock += places.slots;
    const directories: Directory[] = [];
    for (const { inode } of groups.flatMap((group) => group.members)) {
      if (inode instanceof Directory) directories.push(inode);
    }
    return directories;
  }
}

function compare(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Groups in order of name, their members in order of path. */
function toGroups(named: readonly NamedInode[], packages: PackageIndex): Group[] {
  const groups = new Map<ByteString, Group>();
  for (const each of named) {
    const name = groupOf(each, packages);
    const group = groups.get(name);
    if (group) group.members.push(each);
    else groups.set(name, { name, members: [each] });
  }
  const sorted = [...groups.values()].sort((a, b) => compare(a.name, b.name));
  for (const group of sorted) group.members.sort((a, b) => compare(a.path, b.path));
  return sorted;
}

function groupOf({ inode, path }: NamedInode, packages: PackageIndex): ByteString {
  if (inode.wholeChunks > 0) return LARGE;
  const owner = packages.ownerOf(path);
  return owner === undefined ? path.split('/').slice(0, 2).join('/') : `\0${owner}`;
}
