import { SluiceError } from '../base/mod.ts';
import type { DiskEntry, DiskString } from './entry.ts';
import type { Runs } from './extent.ts';
import { type InodeKind, LINK_COUNT_MAX, NAME_BYTES_MAX } from './format.ts';
import type { InodeAttributes } from './inode.ts';
import type { XattrParts } from './xattr.ts';

/** An inode in memory while layers are applied; its number comes at the end of its layer. */
export class Inode implements InodeAttributes {
  readonly kind: InodeKind;
  mode = 0o755;
  uid = 0;
  gid = 0;
  mtimeSeconds = 0;
  mtimeNanoseconds = 0;
  xattrs: XattrParts | undefined;
  sizeBytes = 0;
  /** Names that the inode has; 0 when a later entry took its place. */
  linkCount = 0;
  number = 0;
  /** The layer that made it. */
  readonly layer: number;
  runs: Runs | undefined;
  /** Chunks of its content that lie alone, each in a data chunk. */
  wholeChunks = 0;
  target: DiskString | undefined;
  device: { major: number; minor: number } | undefined;

  /** Of an inode that holds an attribute's value. */
  valueHash?: number;

  constructor(kind: InodeKind, layer: number) {
    this.kind = kind;
    this.layer = layer;
  }
}

export class Directory extends Inode {
  readonly children = new Map<DiskString, Inode>();
  /** Names that the layer being applied put here, of inodes that were there before it. */
  linked: Set<DiskString> | undefined;
  readonly parent: Directory;
  /** The last layer that added this directory or anything below it. */
  touched: number;
  /** The last layer that gave or took a name in it. */
  changed: number;

  constructor(parent: Directory | undefined, layer: number) {
    super('directory', layer);
    this.parent = parent ?? this;
    this.touched = layer;
    this.changed = layer;
  }
}

function invalid(path: DiskString, what: string): SluiceError {
  return new SluiceError('IMAGE_ENTRY_INVALID', `${path}: ${what}`, { data: { path } });
}

/** A copy: a slice would keep the whole path in memory for as long as the tree. */
function ownString(slice: DiskString): DiskString {
  return Buffer.from(slice, 'latin1').toString('latin1');
}

function checkName(path: DiskString, name: DiskString): void {
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) {
    throw invalid(path, 'not a relative path without empty, . or .. parts');
  }
  if (name.length > NAME_BYTES_MAX) {
    throw invalid(path, `a name has ${name.length} bytes, more than ${NAME_BYTES_MAX}`);
  }
}

/**
 * The tree that layers build up, with the whiteout rules of the OCI image specification: a whiteout
 * takes away what lower layers put there, and nothing of its own layer.
 */
export class Tree {
  readonly root = new Directory(undefined, 0);
  #layer = 0;
  #withLinks: Directory[] = [];

  constructor() {
    this.root.linkCount = 1;
    this.root.number = 2;
  }

  beginLayer(): void {
    this.#layer++;
    for (const directory of this.#withLinks) directory.linked = undefined;
    this.#withLinks = [];
  }

  find(path: DiskString): Inode | undefined {
    if (path === '') return this.root;
    let inode: Inode | undefined = this.root;
    for (const name of path.split('/')) {
      if (!(inode instanceof Directory)) return undefined;
      inode = inode.children.get(name);
    }
    return inode;
  }

  /**
   * Answers the inode that `entry` makes or, for a directory that is there already, updates.
   * What stood at its path before goes away.
   */
  add(entry: DiskEntry): Inode {
    if (entry.path === '') {
      if (entry.kind !== 'directory') throw invalid(entry.path, 'the root is a directory');
      return this.root;
    }
    const parent = this.#openParent(entry.path);
    const name = ownString(entry.path.slice(entry.path.lastIndexOf('/') + 1));
    checkName(entry.path, name);
    const existing = parent.children.get(name);
    const inode = this.#inodeFor(entry, parent, existing);
    if (inode !== existing) {
      if (existing) this.#release(existing);
      if (inode.linkCount === 0 && entry.kind === 'hardlink') {
        throw invalid(entry.path, 'a hard link replaces the directory that its target is in');
      }
      inode.linkCount++;
      parent.changed = this.#layer;
    }
    parent.children.set(name, inode);
    parent.linked?.delete(name);
    if (entry.kind === 'hardlink' && inode.layer !== this.#layer) this.#noteLink(parent, name);
    return inode;
  }

  remove(path: DiskString): void {
    const slash = path.lastIndexOf('/');
    const parent = this.find(path.slice(0, Math.max(0, slash)));
    if (path === '' || !(parent instanceof Directory)) return;
    this.#removeLower(parent, path.slice(slash + 1));
  }

  removeChildren(path: DiskString): void {
    const directory = this.find(path);
    if (directory instanceof Directory) this.#removeLowerChildren(directory);
  }

  #openParent(path: DiskString): Directory {
    let directory = this.root;
    directory.touched = this.#layer;
    for (let start = 0; ; ) {
      const end = path.indexOf('/', start);
      if (end < 0) return directory;
      const name = path.slice(start, end);
      const child = directory.children.get(name);
      if (!(child instanceof Directory)) {
        checkName(path, name);
        throw invalid(path, `${path.slice(0, end)} is not a directory`);
      }
      directory = child;
      directory.touched = this.#layer;
      start = end + 1;
    }
  }

  #inodeFor(entry: DiskEntry, parent: Directory, existing: Inode | undefined): Inode {
    if (entry.kind === 'directory') {
      if (!(existing instanceof Directory)) return new Directory(parent, this.#layer);
      existing.touched = this.#layer;
      return existing;
    }
    if (entry.kind !== 'hardlink') return new Inode(entry.kind, this.#layer);
    const target = this.find(entry.linkTarget ?? '');
    if (!target || target.kind === 'directory') {
      throw invalid(entry.path, `its hard-link target ${entry.linkTarget} is not a file here`);
    }
    if (target.linkCount >= LINK_COUNT_MAX) {
      throw invalid(entry.path, `its target has ${LINK_COUNT_MAX} links already`);
    }
    return target;
  }

  #noteLink(parent: Directory, name: DiskString): void {
    if (!parent.linked) this.#withLinks.push(parent);
    parent.linked ??= new Set();
    parent.linked.add(name);
  }

  #removeLower(parent: Directory, name: DiskString): void {
    const found = parent.children.get(name);
    if (!found) return;
    if (found instanceof Directory && found.touched === this.#layer) {
      this.#removeLowerChildren(found);
    } else if (found.layer !== this.#layer && !parent.linked?.has(name)) {
      parent.children.delete(name);
      parent.changed = this.#layer;
      this.#release(found);
    }
  }

  #removeLowerChildren(directory: Directory): void {
    for (const name of [...directory.children.keys()]) this.#removeLower(directory, name);
  }

  /** Takes one name from an inode, and with a directory's all names below it. */
  #release(inode: Inode): void {
    const pending = [inode];
    for (let next = pending.pop(); next; next = pending.pop()) {
      next.linkCount--;
      if (next instanceof Directory) {
        for (const child of next.children.values()) pending.push(child);
        next.children.clear();
      }
    }
  }
}
