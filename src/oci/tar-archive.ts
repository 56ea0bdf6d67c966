import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { KIB, limits } from '../base/mod.ts';
import { type SpoolOptions, uncompressedArchive } from './archive-spool.ts';
import type { SkippableSource } from './byte-reader.ts';
import { type ByteString, byteString } from './byte-string.ts';
import { malformed } from './documents.ts';
import { type LayoutFiles, readAll, readRange } from './layout-files.ts';
import { notFound, openRegularFile } from './local-file.ts';
import { readTar } from './tar/tar-reader.ts';

type Member =
  | { readonly kind: 'file'; readonly offset: number; readonly sizeBytes: number }
  | { readonly kind: 'link'; readonly target: ByteString };

const LINKS_MAX = 8;

/** Reads headers in small steps and passes over contents, so that indexing costs no full read. */
class HeaderSource implements SkippableSource {
  readonly #file: FileHandle;
  readonly #sizeBytes: number;
  #position = 0;

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  skip(count: number): number {
    const skipped = Math.min(count, this.#sizeBytes - this.#position);
    this.#position += skipped;
    return skipped;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const { bytesRead, buffer } = await this.#file.read(
        Buffer.allocUnsafe(16 * KIB),
        0,
        16 * KIB,
        this.#position,
      );
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}

/** A layout packed in a tar file: indexed once by offsets, members then read by range. */
export class TarArchive implements LayoutFiles {
  readonly name: string;
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<ByteString, Member>;

  private constructor(name: string, file: FileHandle, members: ReadonlyMap<ByteString, Member>) {
    this.name = name;
    this.#file = file;
    this.#members = members;
  }

  /** With `within`, no link may lead out of that folder. */
  static async open(path: string, options: SpoolOptions, within?: string): Promise<TarArchive> {
    let { file } = await openRegularFile(path, within);
    try {
      file = await uncompressedArchive(file, path, options);
      const { size } = await file.stat();
      return new TarArchive(path, file, await indexMembers(file, size, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async has(path: string): Promise<boolean> {
    return this.#find(path) !== undefined;
  }

  async read(path: string, limitBytes: number): Promise<Buffer> {
    const { offset, sizeBytes } = this.#member(path);
    if (sizeBytes > limitBytes) {
      throw malformed(`${this.name}: ${path}`, `it has more than ${limitBytes} bytes`);
    }
    return readAll(readRange(this.#file, offset, offset + sizeBytes));
  }

  async *open(path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const { offset, sizeBytes } = this.#member(path);
    yield* readRange(this.#file, offset, offset + sizeBytes, signal);
  }

  sizeBytes(path: string): number {
    return this.#member(path).sizeBytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #member(path: string) {
    const member = this.#find(path);
    if (member === undefined) throw notFound(this.name, path);
    return member;
  }

  /** Follows links inside the archive, as `docker save` makes them for layers that repeat. */
  #find(path: string): (Member & { kind: 'file' }) | undefined {
    let name = normalize(byteString(path));
    for (let hops = 0; hops <= LINKS_MAX; hops++) {
      const member = this.#members.get(name);
      if (member === undefined || member.kind === 'file') return member;
      name = member.target;
    }
    throw malformed(`${this.name}: ${path}`, 'its links lead in a circle');
  }
}

/** Within the archive: no leading `/` or `./`, and `..` cannot climb above its top. */
function normalize(path: ByteString): ByteString {
  return posix.join('/', path).slice(1);
}

async function indexMembers(file: FileHandle, sizeBytes: number, where: string) {
  const members = new Map<ByteString, Member>();
  for await (const entry of readTar(new HeaderSource(file, sizeBytes), { where })) {
    const name = normalize(entry.path);
    if (entry.kind === 'file') {
      if (entry.sparse !== undefined) throw malformed(where, 'a member is sparse');
      members.set(name, {
        kind: 'file',
        offset: entry.contentOffset,
        sizeBytes: entry.storedBytes,
      });
    } else if (entry.kind === 'symlink') {
      const target = posix.join('/', posix.dirname(name), entry.linkTarget ?? '');
      members.set(name, { kind: 'link', target: target.slice(1) });
    } else if (entry.kind === 'hardlink') {
      members.set(name, { kind: 'link', target: normalize(entry.linkTarget ?? '') });
    }
    if (members.size > limits.image.archiveMembers) {
      throw malformed(where, `it has more than ${limits.image.archiveMembers} members`);
    }
  }
  return members;
}
