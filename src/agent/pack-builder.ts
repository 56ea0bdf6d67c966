import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { CHUNK_SIZE_BYTES, type Clock, limits, PAGE_SIZE_BYTES, type Random } from '../base/mod.ts';
import { type BuiltPack, FRAME_PAGES, type PackMetadata, type PageRun } from '../device/mod.ts';
import { type ManifestChunk, packIdOf, packSalt, sealChunk, sealPack } from '../seal/mod.ts';

const PAGES_PER_CHUNK = CHUNK_SIZE_BYTES / PAGE_SIZE_BYTES;
const compress = promisify(zstdCompress);

/** The disk whose start a pack is for, and the pack's key. */
export interface PackedDisk {
  readonly manifestId: string;
  readonly rootId: string;
  readonly accountId: string;
  readonly key: Buffer;
}

export interface PackTools {
  /** Pages of the disk as it was sealed, one after the other; each run is of one chunk. */
  readonly readPages: (runs: readonly PageRun[]) => Promise<Uint8Array>;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Makes a start pack: pages in the order in which a start touches them, compressed in frames that
 * open by themselves, cut into chunks under a salt of the disk's own. Equal packs of two accounts thus
 * have nothing in common, the same pack made again is the same chunks, and what a pack's size tells of its pages, it tells of one account's.
 */
export async function buildPack(
  disk: PackedDisk,
  wanted: readonly PageRun[],
  { readPages, clock, random }: PackTools,
): Promise<BuiltPack> {
  const stream = new SealedStream(packSalt(disk.key));
  const frames: number[] = [];
  const runs: PageRun[] = [];
  for (const frame of framesOf(wanted)) {
    const pages = await readPages(frame);
    const packed = await compress(pages);
    if (stream.bytes + packed.length > limits.device.packStreamBytes) break;
    stream.append(packed);
    frames.push(packed.length);
    runs.push(...frame);
  }
  stream.finish();
  const metadata: PackMetadata = { version: 1, runs, frames };
  const index = sealPack(
    {
      manifestId: packIdOf(disk.manifestId),
      rootId: disk.rootId,
      accountId: disk.accountId,
      diskBytes: stream.bytes,
      createdAtMs: clock.nowMs(),
      chunks: stream.chunks,
      metadata: { ...metadata },
    },
    disk.key,
    random,
  );
  return { index, chunks: stream.sealed };
}

/** The pages in frames of `FRAME_PAGES`, each a list of runs that cross no chunk's border. */
function* framesOf(wanted: readonly PageRun[]): Iterable<PageRun[]> {
  let frame: PageRun[] = [];
  let room = FRAME_PAGES;
  let left = limits.device.packPages;
  for (const [first, count] of wanted) {
    const end = first + Math.min(count, left);
    left -= end - first;
    for (let page = first; page < end; ) {
      const chunkEnd = (Math.floor(page / PAGES_PER_CHUNK) + 1) * PAGES_PER_CHUNK;
      const pages = Math.min(end, chunkEnd, page + room) - page;
      frame.push([page, pages]);
      page += pages;
      room -= pages;
      if (room > 0) continue;
      yield frame;
      frame = [];
      room = FRAME_PAGES;
    }
  }
  if (frame.length > 0) yield frame;
}

/** Bytes cut into chunks, each sealed as soon as it is full; the last is padded with zeros. */
class SealedStream {
  readonly chunks: ManifestChunk[] = [];
  readonly sealed: { name: string; ciphertext: Buffer }[] = [];
  bytes = 0;
  readonly #salt: Buffer;
  #chunk = Buffer.alloc(CHUNK_SIZE_BYTES);

  constructor(salt: Buffer) {
    this.#salt = salt;
  }

  append(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const into = this.bytes % CHUNK_SIZE_BYTES;
      const copied = bytes.copy(this.#chunk, into, at);
      at += copied;
      this.bytes += copied;
      if (this.bytes % CHUNK_SIZE_BYTES === 0) this.#seal();
    }
  }

  finish(): void {
    const rest = this.bytes % CHUNK_SIZE_BYTES;
    if (rest === 0) return;
    this.#chunk.fill(0, rest);
    this.#seal();
  }

  #seal(): void {
    const { name, key, ciphertext } = sealChunk(this.#salt, this.#chunk, this.#chunk);
    this.chunks.push({ name, key });
    this.sealed.push({ name, ciphertext });
    this.#chunk = Buffer.alloc(CHUNK_SIZE_BYTES);
  }
}
