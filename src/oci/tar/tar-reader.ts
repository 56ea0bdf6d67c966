import { isSluiceError, limits, type SluiceError } from '../../base/mod.ts';
import { ByteReader } from '../byte-reader.ts';
import type { ByteString } from '../byte-string.ts';
import { entryKind } from './entry-kind.ts';
import { PaxError } from './pax.ts';
import { checkSparseMap, readOldSparseMap, readSparseMap10, SparseError } from './sparse.ts';
import type { TarEntry, TarExtent } from './tar-entry.ts';
import { tarError } from './tar-error.ts';
import { ExtensionCollector, type TarExtensions } from './tar-extensions.ts';
import {
  BLOCK_BYTES,
  checksumMatches,
  isZeroBlock,
  parseTarHeader,
  TarFieldError,
  type TarHeader,
} from './tar-header.ts';

export interface ReadTarOptions {
  /** What errors name: `layer sha256:…`, or an archive's path. */
  readonly where?: string;
}

const noXattrs: ReadonlyMap<ByteString, Buffer> = new Map();
const noContent: AsyncIterable<Buffer> = { async *[Symbol.asyncIterator]() {} };

/**
 * Reads a tar stream entry by entry: V7, ustar, PAX and GNU, with long names, sparse files and
 * binary attributes. Each entry's content must be read, if at all, before the next is asked for.
 *
 * Throws `IMAGE_LAYER_TRUNCATED` where the stream ends inside an entry, `IMAGE_LAYER_CORRUPT` for a
 * header that is none, `IMAGE_ENTRY_INVALID` for an entry that cannot be; each names `where`.
 */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  options: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(source);
  const parser = new TarParser(reader, options.where ?? 'tar');
  try {
    for (;;) {
      const entry = await parser.next();
      if (entry === undefined) break;
      yield entry;
      await parser.finishEntry();
    }
  } finally {
    await reader.close();
  }
}

class TarParser {
  readonly #reader: ByteReader;
  readonly #where: string;
  readonly #extensions = new ExtensionCollector();
  #path: ByteString | undefined;
  /** Of the current entry's content, not handed out yet. */
  #contentLeft = 0;
  #paddingBytes = 0;

  constructor(reader: ByteReader, where: string) {
    this.#reader = reader;
    this.#where = where;
  }

  async next(): Promise<TarEntry | undefined> {
    this.#path = undefined;
    try {
      for (;;) {
        const block = await this.#headerBlock();
        if (block === undefined) return undefined;
        const header = parseTarHeader(block);
        if (header.sizeBytes < 0) throw new TarFieldError('the size is negative');
        if ('xXgLK'.includes(header.type)) {
          this.#extensions.add(header.type, await this.#extensionBytes(header));
        } else if (header.type === 'V') {
          // A volume label is no member of the tree.
          await this.#skip(header.sizeBytes + padding(header.sizeBytes));
        } else {
          return await this.#entry(header, block);
        }
      }
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** Skips what nobody read of the entry that `next` answered. Padding may be cut off at the end. */
  async finishEntry(): Promise<void> {
    const [unread, padded] = [this.#contentLeft, this.#paddingBytes];
    this.#contentLeft = 0;
    this.#paddingBytes = 0;
    if (unread > 0) await this.#skip(unread);
    if (padded > 0) await this.#reader.skip(padded);
  }

  /** The next header; undefined after the end-of-archive mark or where the stream ends instead. */
  async #headerBlock(): Promise<Buffer | undefined> {
    const reader = this.#reader;
    if (reader.available < BLOCK_BYTES && !(await reader.ensure(BLOCK_BYTES))) {
      if (reader.available === 0) return undefined;
      throw this.#truncated();
    }
    const block = reader.take(BLOCK_BYTES);
    if (block[0] === 0 && isZeroBlock(block)) {
      await this.#endOfArchive();
      return undefined;
    }
    if (!checksumMatches(block)) {
      throw tarError(
        'IMAGE_LAYER_CORRUPT',
        this.#where,
        undefined,
        `no tar header at byte ${reader.offset - BLOCK_BYTES}: its checksum does not match`,
      );
    }
    return block;
  }

  /** The mark is two zero blocks; what follows is padding, read so that the digest is checked. */
  async #endOfArchive(): Promise<void> {
    const reader = this.#reader;
    if (await reader.ensure(BLOCK_BYTES)) {
      if (!isZeroBlock(reader.take(BLOCK_BYTES))) {
        throw tarError(
          'IMAGE_LAYER_CORRUPT',
          this.#where,
          undefined,
          `one zero block stands alone at byte ${reader.offset - 2 * BLOCK_BYTES}`,
        );
      }
    }
    while (await reader.fill()) reader.take(reader.available);
  }

  async #extensionBytes(header: TarHeader): Promise<Buffer> {
    if (header.sizeBytes > limits.image.paxHeaderBytes) {
      throw new PaxError(
        `an extension header of ${header.sizeBytes} bytes; ` +
          `the limit is ${limits.image.paxHeaderBytes}`,
      );
    }
    if (!(await this.#reader.ensure(header.sizeBytes))) throw this.#truncated();
    const bytes = Buffer.from(this.#reader.take(header.sizeBytes));
    await this.#skip(padding(header.sizeBytes));
    return bytes;
  }

  async #entry(header: TarHeader, block: Buffer): Promise<TarEntry> {
    this.#path = header.path;
    const extensions = this.#extensions.apply(header);
    this.#path = header.path;
    const kind = entryKind(header);
    if (header.sizeBytes < 0) throw new TarFieldError('the size is negative');
    const isFile = kind === 'file';
    let storedBytes = isFile ? header.sizeBytes : 0;
    this.#paddingBytes = padding(storedBytes);
    let sizeBytes = storedBytes;
    let sparse: readonly TarExtent[] | undefined;
    if (isFile) {
      const map = await this.#sparseMap(header, block, extensions);
      if (map !== undefined) {
        storedBytes -= map.mapBytes;
        sizeBytes = map.realSizeBytes;
        sparse = checkSparseMap(map, storedBytes);
      }
    }
    this.#contentLeft = storedBytes;
    const links = kind === 'symlink' || kind === 'hardlink';
    const device = kind === 'character' || kind === 'block';
    return {
      path: header.path,
      kind,
      mode: header.mode & 0o7777,
      uid: header.uid,
      gid: header.gid,
      mtimeSeconds: header.mtimeSeconds,
      mtimeNanoseconds: extensions.mtimeNanoseconds,
      ...(links && { linkTarget: header.linkTarget }),
      ...(device && { deviceMajor: header.deviceMajor, deviceMinor: header.deviceMinor }),
      sizeBytes,
      xattrs: extensions.xattrs.size > 0 ? extensions.xattrs : noXattrs,
      ...(sparse !== undefined && { sparse }),
      contentOffset: this.#reader.offset,
      storedBytes,
      content: () => (storedBytes === 0 ? noContent : this.#content(header.path)),
    };
  }

  async #sparseMap(header: TarHeader, block: Buffer, extensions: TarExtensions) {
    if (header.type === 'S') {
      return { ...(await readOldSparseMap(block, this.#reader)), mapBytes: 0 };
    }
    const realSizeBytes = extensions.realSizeBytes;
    if (realSizeBytes === undefined) return undefined;
    if (realSizeBytes < 0) throw new TarFieldError('the size is negative');
    if (extensions.sparseInContent) {
      return { ...(await readSparseMap10(this.#reader, header.sizeBytes)), realSizeBytes };
    }
    return { extents: extensions.sparseExtents ?? [], realSizeBytes, mapBytes: 0 };
  }

  async *#content(path: ByteString): AsyncGenerator<Buffer> {
    while (this.#contentLeft > 0) {
      if (this.#reader.available === 0 && !(await this.#reader.fill())) {
        this.#path = path;
        throw this.#truncated();
      }
      const bytes = this.#reader.take(this.#contentLeft);
      this.#contentLeft -= bytes.length;
      yield bytes;
    }
  }

  async #skip(count: number): Promise<void> {
    if (!(await this.#reader.skip(count))) throw this.#truncated();
  }

  #truncated(): SluiceError {
    const at = this.#reader.offset + this.#reader.available;
    return tarError(
      'IMAGE_LAYER_TRUNCATED',
      this.#where,
      this.#path,
      `the tar stream ends inside an entry, at byte ${at}`,
    );
  }

  /** Gives what the pure parsers throw the name of the layer and of the entry. */
  #named(error: unknown): unknown {
    if (isSluiceError(error)) return error;
    const known =
      error instanceof TarFieldError || error instanceof PaxError || error instanceof SparseError;
    if (!known) return error;
    return tarError('IMAGE_ENTRY_INVALID', this.#where, this.#path, error.message);
  }
}

function padding(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}
