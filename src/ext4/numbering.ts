import type { ByteString } from './entry.ts';
import { INODES_PER_CHUNK } from './format.ts';
import type { PackageIndex } from './package-index.ts';
import { hashBytes, placeByHash, slotsFor } from './placement.ts';
import { Directory, type Inode } from './tree.ts';

/** Inode numbers begin at 1; the first block of the table holds the reserved ones. */
export const RESERVED_SLOTS = 16;
const SLOT_STEP = 16;
/** More inodes than this make more than one segment; a chunk's table stays loose enough to hash. */
const SEGMENT_INODES_MAX = (INODES_PER_CHUNK * 3) / 4;
const SEGMENT_INODES_MIN = INODES_PER_CHUNK / 4;
/** One in so many group starts may end a segment. */
const SEGMENT_ODDS = 4;

export interface NamedInode {
  readonly inode: Inode;
  readonly path: ByteString;
}

interface Segment {
  readonly key: ByteString;
  readonly members: NamedInode[];
}

/**
 * Numbers the inodes of one layer so that numbers, and with them directories, hardly depend on what
 * else is in the layer: by hash, within a segment of one table chunk that holds whole packages.
 * Directories and large files, whose inodes change most (times, addresses), have a region of their
 * own. Nothing here depends on mtimes or the order of the tar.
 */
export class Numbering {
  /** The first slot that no layer has. */
  #next = 0;

  numberLayer(named: readonly NamedInode[], packages: PackageIndex): void {
    const volatile = named.filter(({ inode }) => isVolatile(inode));
    const steady = named.filter(({ inode }) => !isVolatile(inode));
    this.#place(sortByPath(volatile), slotsFor(volatile.length));
    const grouped = steady.map((each) => ({ ...each, group: groupOf(each.path, packages) }));
    if (grouped.length <= SEGMENT_INODES_MAX) {
      this.#place(sortByPath(grouped), slotsFor(grouped.length));
      return;
    }
    grouped.sort((a, b) => (a.group < b.group ? -1 : a.group > b.group ? 1 : comparePaths(a, b)));
    const segments = cutSegments(grouped);
    this.#next = Math.ceil(this.#next / INODES_PER_CHUNK) * INODES_PER_CHUNK;
    const first = this.#next;
    const keys = segments.map((segment) => segment.key);
    const slots = slotsFor(segments.length);
    placeByHash(keys, slots).forEach((slot, i) => {
      this.#next = first + slot * INODES_PER_CHUNK;
      this.#place(segments[i]!.members, INODES_PER_CHUNK);
    });
    this.#next = first + slots * INODES_PER_CHUNK;
  }

  #place(members: readonly NamedInode[], slots: number): void {
    if (members.length === 0) return;
    const reserved = this.#next === 0 ? RESERVED_SLOTS : 0;
    const room = this.#next === 0 && members.length > slots - reserved ? slots * 2 : slots;
    placeByHash(
      members.map(({ path }) => path),
      room,
      reserved,
    ).forEach((slot, i) => {
      members[i]!.inode.number = this.#next + slot + 1;
    });
    this.#next += Math.ceil(room / SLOT_STEP) * SLOT_STEP;
  }
}

/** A package, before all directories that are of none or of several. */
function groupOf(path: ByteString, packages: PackageIndex): ByteString {
  const owner = packages.ownerOf(path);
  return owner === undefined ? path.split('/').slice(0, 2).join('/') : `\0${owner}`;
}

/** A layer's directories with those of a package next to each other. */
export function sortDirectories(named: readonly NamedInode[], packages: PackageIndex): Directory[] {
  const directories: { directory: Directory; path: ByteString; group: ByteString }[] = [];
  for (const { inode, path } of named) {
    if (!(inode instanceof Directory)) continue;
    directories.push({ directory: inode, path, group: groupOf(path, packages) });
  }
  directories.sort((a, b) => {
    if (a.group !== b.group) return a.group < b.group ? -1 : 1;
    return a.path < b.path ? -1 : 1;
  });
  return directories.map(({ directory }) => directory);
}

function isVolatile(inode: Inode): boolean {
  return inode instanceof Directory || inode.wholeChunks > 0;
}

function comparePaths(a: NamedInode, b: NamedInode): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

function sortByPath(named: readonly NamedInode[]): NamedInode[] {
  return [...named].sort(comparePaths);
}

/** Cuts inodes, in order of group, into segments, where a group begins if that is possible. */
function cutSegments(named: readonly (NamedInode & { group: ByteString })[]): Segment[] {
  const segments: Segment[] = [];
  let previous: ByteString | undefined;
  for (const each of named) {
    const count = segments.at(-1)?.members.length ?? SEGMENT_INODES_MAX;
    const begins = each.group !== previous;
    const mayCut = begins && hashBytes(each.group) % SEGMENT_ODDS === 0;
    if (
      count >= SEGMENT_INODES_MAX ||
      (begins && count >= SEGMENT_INODES_MAX - SEGMENT_INODES_MIN) ||
      (mayCut && count >= SEGMENT_INODES_MIN)
    ) {
      segments.push({ key: `${each.group}\0${begins ? '' : each.path}`, members: [] });
    }
    segments.at(-1)!.members.push(each);
    previous = each.group;
  }
  return segments;
}
