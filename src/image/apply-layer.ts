import { type ErrorCode, isSluiceError, limits, SluiceError } from '../base/mod.ts';
import { isStorableXattr } from '../ext4/mod.ts';
import { type ByteString, printable, readTar, type TarEntry } from '../oci/mod.ts';
import type { DiskTarget } from './disk-target.ts';
import { cleanPath, DirectoryResolver, EntryPathError, joinPath, splitPath } from './entry-path.ts';

const WHITEOUT = '.wh.';
/** AUFS kept its own files under such names; only the opaque mark means something elsewhere. */
const WHITEOUT_META = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/** Attributes that belong to the host that packed the image, as umoci leaves them out. */
function isHostAttribute(name: ByteString): boolean {
  return (
    name === 'security.selinux' || name === 'system.nfs4_acl' || name.startsWith('trusted.overlay.')
  );
}

/** Names that a report of what was left out lists. */
const LEFT_OUT_NAMES_MAX = 10;

export interface AppliedLayer {
  readonly entries: number;
  /** Attributes that no Linux file system stores and that were left out, with how many had each. */
  readonly leftOut: ReadonlyMap<ByteString, number>;
}

export interface ApplyLayerOptions {
  /** Named by every error. */
  readonly layerDigest: string;
  /** How many entries the image may have, and how many the layers below have. */
  readonly entriesLimit?: number;
  readonly entriesBefore?: number;
  readonly signal?: AbortSignal;
}

/**
 * Applies one layer's tar stream to a disk: whiteouts (image-spec, layer.md), symbolic links on the
 * way to an entry, directories that no entry makes. Throws `IMAGE_PATH_ESCAPES`,
 * `IMAGE_ENTRY_INVALID`, `IMAGE_TOO_LARGE` and what `source` and the disk throw.
 */
export async function applyLayer(
  source: AsyncIterable<Buffer>,
  disk: DiskTarget,
  options: ApplyLayerOptions,
): Promise<AppliedLayer> {
  const where = `layer ${options.layerDigest}`;
  const entriesLimit = options.entriesLimit ?? limits.image.entries;
  const applier = new LayerApplier(disk);
  let entries = 0;
  disk.beginLayer();
  for await (const entry of readTar(source, { where })) {
    options.signal?.throwIfAborted();
    if (++entries + (options.entriesBefore ?? 0) > entriesLimit) {
      throw new SluiceError(
        'IMAGE_TOO_LARGE',
        `${where}: with it the image has more than ${entriesLimit} entries`,
      );
    }
    try {
      await applier.apply(entry);
    } catch (error) {
      throw named(error, options.layerDigest, entry.path);
    }
  }
  await disk.endLayer();
  return { entries, leftOut: applier.leftOut };
}

class LayerApplier {
  readonly #disk: DiskTarget;
  readonly #directories: DirectoryResolver;
  readonly leftOut = new Map<ByteString, number>();

  constructor(disk: DiskTarget) {
    this.#disk = disk;
    this.#directories = new DirectoryResolver(disk);
  }

  async apply(entry: TarEntry): Promise<void> {
    const path = cleanPath(entry.path);
    if (path.includes(WHITEOUT) && this.#whiteout(path)) return;
    if (path === '' && entry.kind !== 'directory') {
      throw new EntryPathError('the root of an image is a directory');
    }
    const { directory, name } = splitPath(path);
    const parent = this.#directories.resolve(directory);
    if (parent === undefined) throw new EntryPathError('a part of its path is no directory');
    if (!parent.exists) await this.#makeDirectories(parent.path);
    const target = joinPath(parent.path, name);
    const linkTarget = this.#linkTarget(entry, target);
    if (entry.kind !== 'directory') this.#directories.forget(target);
    const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, sizeBytes } = entry;
    await this.#disk.add(
      {
        path: target,
        kind: entry.kind,
        ...{ mode, uid, gid, mtimeSeconds, mtimeNanoseconds, sizeBytes },
        xattrs: this.#attributes(entry.xattrs),
        ...(linkTarget !== undefined && { linkTarget }),
        ...(entry.deviceMajor !== undefined && { deviceMajor: entry.deviceMajor }),
        ...(entry.deviceMinor !== undefined && { deviceMinor: entry.deviceMinor }),
        ...(entry.sparse !== undefined && { sparse: entry.sparse }),
      },
      entry.content(),
    );
  }

  #attributes(xattrs: ReadonlyMap<ByteString, Buffer>): ReadonlyMap<ByteString, Buffer> {
    if (xattrs.size === 0) return xattrs;
    const kept = new Map<ByteString, Buffer>();
    for (const [name, value] of xattrs) {
      if (isHostAttribute(name)) continue;
      if (isStorableXattr(name)) kept.set(name, value);
      else if (this.leftOut.has(name) || this.leftOut.size < LEFT_OUT_NAMES_MAX) {
        this.leftOut.set(name, (this.leftOut.get(name) ?? 0) + 1);
      }
    }
    return kept;
  }

  /** Acts on a whiteout; false when the path is none after all. */
  #whiteout(path: ByteString): boolean {
    const { directory, name } = splitPath(path);
    if (name !== OPAQUE && path.split('/').some((part) => part.startsWith(WHITEOUT_META))) {
      return true;
    }
    if (!name.startsWith(WHITEOUT)) return false;
    const parent = this.#directories.resolve(directory);
    // Below a file there is nothing to hide.
    if (parent === undefined) return true;
    if (name === OPAQUE) {
      this.#disk.removeChildren(parent.path);
      this.#directories.forget('');
      return true;
    }
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new EntryPathError('a whiteout names no file');
    }
    this.#disk.remove(joinPath(parent.path, hidden));
    this.#directories.forget('');
    return true;
  }

  /** Directories that an entry takes for granted: root's, 0755, of the epoch. */
  async #makeDirectories(path: ByteString): Promise<void> {
    const names = path.split('/');
    for (let depth = 1; depth <= names.length; depth++) {
      const directory = names.slice(0, depth).join('/');
      if (this.#disk.lookup(directory) !== undefined) continue;
      await this.#disk.add({
        path: directory,
        kind: 'directory',
        mode: 0o755,
        ...{ uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0 },
        xattrs: noAttributes,
      });
    }
  }

  /** A symlink's target is kept as it is; a hard link's is a path of the image. */
  #linkTarget(entry: TarEntry, path: ByteString): ByteString | undefined {
    if (entry.kind !== 'hardlink') return entry.linkTarget;
    const { directory, name } = splitPath(cleanPath(entry.linkTarget ?? ''));
    const parent = this.#directories.resolve(directory);
    const target = joinPath(parent?.path ?? '', name);
    const found = target === path ? undefined : parent && this.#disk.lookup(target);
    if (found === undefined) {
      throw new EntryPathError(`its hard link's target "${printable(target)}" does not exist`);
    }
    if (found.kind === 'directory') throw new EntryPathError('a hard link names a directory');
    return target;
  }
}

const noAttributes: ReadonlyMap<ByteString, Buffer> = new Map();

/** Puts the layer and the entry before what went wrong with it. */
function named(error: unknown, layerDigest: string, path: ByteString): unknown {
  const entry = printable(path);
  const at = (code: ErrorCode, message: string) =>
    new SluiceError(code, `layer ${layerDigest}: entry "${entry}": ${message}`, {
      data: { layer: layerDigest, entry },
      cause: error,
    });
  if (error instanceof EntryPathError) {
    return at(error.escapes ? 'IMAGE_PATH_ESCAPES' : 'IMAGE_ENTRY_INVALID', error.message);
  }
  if (!isSluiceError(error) || 'layer' in error.data || 'where' in error.data) return error;
  if (error.code === 'IMAGE_ENTRY_INVALID') return at(error.code, error.message);
  return error;
}
