import { createHash } from 'node:crypto';
import { CHUNK_SIZE_BYTES, formatBytes, isSluiceError, limits, SluiceError } from '../base/mod.ts';
import { ChunkOutput } from './chunk-output.ts';
import { DataRegion } from './data-region.ts';
import type { DiskEntry, DiskSink, DiskString, DiskSummary } from './entry.ts';
import {
  BLOCK_SIZE_BYTES,
  BLOCKS_PER_CHUNK,
  BLOCKS_PER_GROUP,
  SYMLINK_BYTES_MAX,
} from './format.ts';
import { MetadataWriter } from './metadata-writer.ts';
import { type NamedInode, Numbering } from './numbering.ts';
import { Spool } from './spool.ts';
import { type Directory, type Inode, Tree } from './tree.ts';
import { buildXattrs, type XattrParts } from './xattr.ts';

export interface DiskWriterOptions {
  readonly sink: DiskSink;
  /** Where small files wait for their layer's end. */
  readonly spoolDirectory: string;
  /** Content of all layers together that is too much. */
  readonly sizeLimitBytes?: number;
}

async function* nothing(): AsyncGenerator<Buffer> {}

/**
 * Writes a deterministic ext4 disk from layers: for each one `beginLayer`, `add`, `remove` and
 * `removeChildren` in the layer's order, `endLayer`; then `finish`. Calls follow each other, none
 * before the one before has settled. After a rejected call only `abort` may follow.
 */
export class DiskWriter {
  readonly #output: ChunkOutput;
  readonly #spool: Spool;
  readonly #data: DataRegion;
  readonly #sizeLimitBytes: number;
  readonly #tree = new Tree();
  readonly #xattrs = new Map<string, XattrParts>();
  #xattrBytes = 0;
  /** Inodes at their numbers; those of dead files are kept free, so that no number ever moves. */
  readonly #inodes: Inode[] = [];
  /** In the order in which their blocks are written. */
  readonly #directories: Directory[] = [];
  readonly #numbering = new Numbering();
  /** The layer's new inodes and the path of each. */
  readonly #layerInodes = new Map<Inode, DiskString>();
  #contentBytes = 0;
  #chunksPut = 0;

  constructor(options: DiskWriterOptions) {
    this.#output = new ChunkOutput({
      writeChunk: (index, data) => {
        this.#chunksPut++;
        return options.sink.writeChunk(index, data);
      },
    });
    this.#spool = new Spool(options.spoolDirectory);
    this.#data = new DataRegion(this.#output, this.#spool);
    this.#sizeLimitBytes = options.sizeLimitBytes ?? limits.image.flattenedSizeBytes;
    this.#inodes[this.#tree.root.number] = this.#tree.root;
    this.#directories.push(this.#tree.root);
  }

  beginLayer(): void {
    this.#tree.beginLayer();
  }

  /**
   * Puts one entry at its path; what was there goes away, but a directory that stays one keeps its
   * children. Throws `IMAGE_ENTRY_INVALID` (a missing parent, a lost hard-link target, attributes
   * that ext4 cannot hold, content of another length than announced) and `IMAGE_TOO_LARGE`.
   */
  async add(entry: DiskEntry, content: AsyncIterable<Buffer> = nothing()): Promise<void> {
    try {
      await this.#add(entry, content);
    } catch (error) {
      throw naming(entry, error);
    }
  }

  /** Applies a whiteout: takes away what lower layers put at `path`; nothing there is no error. */
  remove(path: DiskString): void {
    this.#tree.remove(path);
  }

  /** Applies an opaque whiteout: takes away what lower layers put into the directory. */
  removeChildren(path: DiskString): void {
    this.#tree.removeChildren(path);
  }

  lookup(path: DiskString): { kind: Inode['kind']; linkTarget?: DiskString } | undefined {
    const inode = this.#tree.find(path);
    if (!inode) return undefined;
    return inode.target === undefined
      ? { kind: inode.kind }
      : { kind: inode.kind, linkTarget: inode.target };
  }

  async endLayer(): Promise<void> {
    const packages = await this.#data.endLayer();
    const live: NamedInode[] = [];
    for (const [inode, path] of this.#layerInodes) {
      if (inode.linkCount > 0) live.push({ inode, path });
    }
    this.#layerInodes.clear();
    const directories = this.#numbering.numberLayer(live, packages);
    for (const { inode } of live) this.#inodes[inode.number] = inode;
    for (const directory of directories) this.#directories.push(directory);
  }

  async finish(): Promise<DiskSummary> {
    const live = this.#inodes.map((inode) => (inode && inode.linkCount > 0 ? inode : undefined));
    let [files, inodes] = [0, 0];
    for (const inode of live) {
      if (!inode) continue;
      inodes++;
      if (inode.kind === 'file') files++;
    }
    const dataChunks = this.#chunksPut;
    const overflowBlock = this.#data.endChunk * BLOCKS_PER_CHUNK;
    const directories = this.#directories.filter((each) => each.linkCount > 0);
    directories.sort((a, b) => a.changed - b.changed);
    const metadata = new MetadataWriter(this.#output, live, directories, overflowBlock);
    const geometry = await metadata.write();
    await this.#output.drain();
    await this.#spool.close();
    const diskBytes = geometry.groups * BLOCKS_PER_GROUP * BLOCK_SIZE_BYTES;
    return {
      diskBytes,
      chunkCount: diskBytes / CHUNK_SIZE_BYTES,
      ...{ files, directories: directories.length, inodes },
      dataBytes: dataChunks * CHUNK_SIZE_BYTES,
      metadataBytes: (this.#chunksPut - dataChunks) * CHUNK_SIZE_BYTES,
    };
  }

  /** Gives up: waits for what the sink still has, and removes what is spooled. */
  async abort(): Promise<void> {
    await this.#spool.close();
    await this.#output.drain().catch(() => {});
  }

  async #add(entry: DiskEntry, content: AsyncIterable<Buffer>): Promise<void> {
    const inode = this.#tree.add(entry);
    if (entry.kind === 'hardlink') return;
    this.#setAttributes(inode, entry);
    if (inode.number === 0) this.#layerInodes.set(inode, entry.path);
    if (entry.kind === 'file') {
      const sizeBytes = entry.sizeBytes ?? 0;
      inode.sizeBytes = sizeBytes;
      const sparse = entry.sparse?.reduce((sum, extent) => sum + extent.length, 0);
      this.#contentBytes += sparse ?? sizeBytes;
      if (this.#contentBytes > this.#sizeLimitBytes) throw this.#tooLarge();
      if (sizeBytes > 0) await this.#data.add(inode, entry, content);
    }
  }

  #setAttributes(inode: Inode, entry: DiskEntry): void {
    // Linux shows every symlink as 0777, whatever its tar header says.
    inode.mode = entry.kind === 'symlink' ? 0o777 : entry.mode & 0o7777;
    inode.uid = checkNumber('uid', entry.uid, 2 ** 32 - 1);
    inode.gid = checkNumber('gid', entry.gid, 2 ** 32 - 1);
    inode.mtimeSeconds = entry.mtimeSeconds;
    inode.mtimeNanoseconds = entry.mtimeNanoseconds;
    inode.xattrs = this.#internXattrs(entry);
    if (entry.kind === 'symlink') {
      const target = entry.linkTarget ?? '';
      if (target === '' || target.length > SYMLINK_BYTES_MAX || target.includes('\0')) {
        throw new SluiceError(
          'IMAGE_ENTRY_INVALID',
          'a symlink target has 1 to 4095 bytes, none of them zero',
        );
      }
      inode.target = target;
      inode.sizeBytes = target.length;
    }
    if (entry.kind === 'character' || entry.kind === 'block') {
      inode.device = {
        major: checkNumber('major device number', entry.deviceMajor ?? 0, 2 ** 12 - 1),
        minor: checkNumber('minor device number', entry.deviceMinor ?? 0, 2 ** 20 - 1),
      };
    }
  }

  /** One object for equal attributes: few files have any, and those that do have the same. */
  #internXattrs(entry: DiskEntry): XattrParts | undefined {
    if (entry.xattrs.size === 0) return undefined;
    const parts = buildXattrs(entry.xattrs);
    const hash = createHash('sha256').update(parts.body ?? '');
    hash.update(parts.block ?? '');
    for (const { value } of parts.large ?? []) hash.update(value);
    const key = hash.digest('hex');
    const known = this.#xattrs.get(key);
    if (known) return known;
    for (const [, value] of entry.xattrs) this.#xattrBytes += value.length;
    if (this.#xattrBytes > limits.disk.xattrBytes) {
      throw new SluiceError(
        'IMAGE_TOO_LARGE',
        `its extended attributes, each counted once, exceed ${formatBytes(limits.disk.xattrBytes)}`,
        { data: { limitBytes: limits.disk.xattrBytes } },
      );
    }
    this.#xattrs.set(key, parts);
    return parts;
  }

  #tooLarge(): SluiceError {
    const limit = formatBytes(this.#sizeLimitBytes);
    return new SluiceError(
      'IMAGE_TOO_LARGE',
      `Uncompressed container image size exceeds ${limit} limit`,
      { data: { limitBytes: this.#sizeLimitBytes } },
    );
  }
}

function checkNumber(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new SluiceError('IMAGE_ENTRY_INVALID', `a ${name} of ${value} is not possible`);
}

/** Puts the entry's path before the message of an error that does not name it yet. */
function naming(entry: DiskEntry, error: unknown): unknown {
  if (!isSluiceError(error, 'IMAGE_ENTRY_INVALID') || 'path' in error.data) return error;
  return new SluiceError(error.code, `${entry.path}: ${error.message}`, {
    data: { ...error.data, path: entry.path },
    cause: error,
  });
}
