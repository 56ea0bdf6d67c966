import { limits } from '../base/mod.ts';
import type { ByteString } from '../oci/mod.ts';
import type { DiskTarget } from './disk-target.ts';

/** A path that no image may have. */
export class EntryPathError extends Error {
  /** It leads out of the image; otherwise it cannot be, wherever it leads. */
  readonly escapes: boolean;

  constructor(message: string, escapes = false) {
    super(message);
    this.escapes = escapes;
  }
}

/**
 * The path relative to the image's root, `''` for the root itself: a leading `/`, `.` and doubled
 * slashes go, `..` takes back the name before it. One that climbs above the root is refused.
 */
export function cleanPath(path: ByteString): ByteString {
  if (path.length > limits.image.pathBytes) {
    throw new EntryPathError(`its path has more than ${limits.image.pathBytes} bytes`);
  }
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (names.pop() === undefined) throw new EntryPathError('its path climbs out', true);
      continue;
    }
    if (name.length > limits.image.nameBytes) {
      throw new EntryPathError(`a name in its path exceeds ${limits.image.nameBytes} bytes`);
    }
    names.push(name);
  }
  return names.join('/');
}

export function splitPath(path: ByteString): { directory: ByteString; name: ByteString } {
  const slash = path.lastIndexOf('/');
  return slash < 0
    ? { directory: '', name: path }
    : { directory: path.slice(0, slash), name: path.slice(slash + 1) };
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`;
}

/** As many as Linux follows. */
const SYMLINKS_MAX = 40;

/**
 * Finds where an entry's directory really is: symbolic links that lower entries put on the way are
 * followed as if the image's root were `/`, so that none leads out. What is missing stays as named.
 */
export class DirectoryResolver {
  readonly #disk: DiskTarget;
  /** The last answer where no link was met; entries of one directory come in a row. */
  #known: ByteString | undefined;

  constructor(disk: DiskTarget) {
    this.#disk = disk;
  }

  /** Undefined where a part of the path is a file. */
  resolve(directory: ByteString): { path: ByteString; exists: boolean } | undefined {
    if (directory === '' || directory === this.#known) return { path: directory, exists: true };
    const waiting = directory.split('/').reverse();
    const names: string[] = [];
    let symlinks = 0;
    let exists = true;
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        names.pop();
        exists = true;
        continue;
      }
      names.push(name);
      const found = exists ? this.#disk.lookup(names.join('/')) : undefined;
      if (found === undefined) {
        exists = false;
      } else if (found.kind === 'symlink') {
        if (++symlinks > SYMLINKS_MAX) throw new EntryPathError('symbolic links lead in a circle');
        const target = found.linkTarget ?? '';
        names.pop();
        if (target.startsWith('/')) names.length = 0;
        waiting.push(...target.split('/').reverse());
      } else if (found.kind !== 'directory') {
        return undefined;
      }
      if (names.length + waiting.length > limits.image.pathBytes) {
        throw new EntryPathError('its path is too long once symbolic links are followed');
      }
    }
    const path = names.join('/');
    if (exists && symlinks === 0) this.#known = path;
    return { path, exists };
  }

  /** To be told of every path that is taken away or becomes no directory. */
  forget(path: ByteString): void {
    const known = this.#known;
    if (known === undefined || !known.startsWith(path)) return;
    if (path === '' || known.length === path.length || known[path.length] === '/') {
      this.#known = undefined;
    }
  }
}
