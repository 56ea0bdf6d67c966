import type { DiskString } from './entry.ts';
import { INODES_PER_CHUNK, INODES_PER_GROUP } from './format.ts';
import type { PackageIndex } from './package-index.ts';
import { placeByHash, slotsFor } from './placement.ts';
import { Directory, type Inode } from './tree.ts';

/** Groups begin at a block of the inode table, the first of which is reserved. */
const SLOTS_PER_BLOCK = 16;
/** Where groups are small, they begin at every fourth number. */
const SLOTS_PER_QUARTER = 4;

export interface NamedInode {
  readonly inode: Inode;
  readonly path: DiskString;
}

/** The inodes of a package or of a directory near the root: numbered one after another. */
interface Group {
  readonly name: DiskString;
  readonly members: NamedInode[];
}

/** The group of large files, whose addresses depend on those of others, so that they change most. */
const LARGE = '\0';

/**
 * Numbers the inodes of one layer so that numbers, and with them the bytes of directories, hardly
 * depend on what else is in the layer: groups lie at hashed places in the inode table, with gaps.
 * Where packages are known, what every installation gives other times lies apart from what comes
 * out of packages: an image built again has new chunks for the former alone. No number depends on
 * mtimes, nor on the order of the tar.
 */
export class Numbering {
  /** The first number that no layer has. */
  #next = SLOTS_PER_BLOCK + 1;

  /** Answers the layer's directories in the order in which their blocks best lie. */
  numberLayer(named: readonly NamedInode[], packages: PackageIndex): Directory[] {
    if (packages.isEmpty) {
      this.#number(toGroups(named, packages), SLOTS_PER_BLOCK);
    } else {
      const made = named.filter((each) => isMadeAnew(each, packages));
      const kept = named.filter((each) => !isMadeAnew(each, packages));
      this.#number(toGroups(made, packages), SLOTS_PER_QUARTER);
      this.#next = Math.ceil((this.#next - 1) / INODES_PER_CHUNK) * INODES_PER_CHUNK + 1;
      this.#number(toGroups(kept, packages), SLOTS_PER_BLOCK);
    }
    const directories: Directory[] = [];
    for (const { inode } of toGroups(named, packages).flatMap((group) => group.members)) {
      if (inode instanceof Directory) directories.push(inode);
    }
    return directories;
  }

  #number(groups: readonly Group[], wantedStep: number): void {
    const step = fits(groups, wantedStep) ? wantedStep : 1;
    // Large groups first: to move one changes more.
    const bySize = [...groups].sort(
      (a, b) => b.members.length - a.members.length || compare(a.name, b.name),
    );
    const runs = bySize.map(({ name, members }) => ({
      key: name,
      length: Math.ceil(members.length / step),
    }));
    const places = placeByHash(runs, slotsFor(runs.reduce((sum, run) => sum + run.length, 0)));
    for (const [i, { members }] of bySize.entries()) {
      const first = this.#next + places.first[i]! * step;
      for (const [k, { inode }] of members.entries()) inode.number = first + k;
    }
    if (runs.length > 0) this.#next += places.slots * step;
  }
}

/** A table so large has at most this many times the numbers that it needs. */
const LARGE_TABLE_INODES = INODES_PER_GROUP;
const LARGE_TABLE_SLACK = 4;

/** Whether groups that begin at every `step`th number don't blow the table up. */
function fits(groups: readonly Group[], step: number): boolean {
  let [inodes, taken] = [0, 0];
  for (const { members } of groups) {
    inodes += members.length;
    taken += Math.ceil(members.length / step) * step;
  }
  return inodes <= LARGE_TABLE_INODES || taken <= LARGE_TABLE_SLACK * inodes;
}

/** Directories, and what no package lists: caches, compiled code, the lists themselves. */
function isMadeAnew({ inode, path }: NamedInode, packages: PackageIndex): boolean {
  return inode instanceof Directory || !packages.lists(path);
}

function compare(a: DiskString, b: DiskString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Groups in order of name, their members in order of path. */
function toGroups(named: readonly NamedInode[], packages: PackageIndex): Group[] {
  const groups = new Map<DiskString, Group>();
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

function groupOf({ inode, path }: NamedInode, packages: PackageIndex): DiskString {
  if (inode.wholeChunks > 0) return LARGE;
  const owner = packages.ownerOf(path);
  return owner === undefined ? path.split('/').slice(0, 2).join('/') : `\0${owner}`;
}
