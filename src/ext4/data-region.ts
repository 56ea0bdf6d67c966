import { assert, CHUNK_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import { checkExtents, type Segment, sparseBlocks, toSegments } from './block-stream.ts';
import type { ChunkOutput } from './chunk-output.ts';
import type { DiskEntry } from './entry.ts';
import { addRun } from './extent.ts';
import { BLOCK_SIZE_BYTES, BLOCKS_PER_CHUNK } from './format.ts';
import { DATA_FIRST_CHUNK } from './geometry.ts';
import { PackageIndex } from './package-index.ts';
import { type PackItem, packItems } from './packing.ts';
import { placeByHash, slotsFor } from './placement.ts';
import type { Spool } from './spool.ts';
import type { Inode } from './tree.ts';

/** So few bins lie next to each other. */
const FEW_BINS = 4;

/** Content smaller than a chunk, a whole file's or the rest of one, waiting in the spool. */
interface SpooledItem extends PackItem {
  readonly inode: Inode;
  /** The blocks that have data, of a sparse file. */
  readonly segments: readonly Segment[] | undefined;
  /** Blocks of the file before this item's first. */
  readonly blocksBefore: number;
  readonly spoolOffset: number;
  readonly bytes: number;
}

/**
 * Lays file content out, layer after layer and append-only: whole chunks of large files go straight
 * to the disk, the rest is packed in bins at the layer's end. Nothing in a data chunk depends on
 * times, inode numbers or the layer's place; nothing ever moves. Bins lie at hashed places, so that
 * one bin more or less leaves most others, and the inodes that point to them, as they were.
 */
export class DataRegion {
  readonly #output: ChunkOutput;
  readonly #spool: Spool;
  #items: SpooledItem[] = [];
  #nextChunk = DATA_FIRST_CHUNK;

  constructor(output: ChunkOutput, spool: Spool) {
    this.#output = output;
    this.#spool = spool;
  }

  /** The first chunk behind all data. */
  get endChunk(): number {
    return this.#nextChunk;
  }

  /** Stores a file's content and answers nothing; `inode.runs` says where it went, later. */
  async add(inode: Inode, entry: DiskEntry, content: AsyncIterable<Buffer>): Promise<void> {
    const extents = checkExtents(entry.sizeBytes ?? 0, entry.sparse);
    const segments = toSegments(extents);
    const blocks = segments.reduce((sum, segment) => sum + segment.count, 0);
    const dataBytes = extents.reduce((sum, extent) => sum + extent.length, 0);
    const counted = countBytes(content, dataBytes);
    const stream = entry.sparse ? sparseBlocks(extents, counted) : counted;
    const iterator = stream[Symbol.asyncIterator]();
    const wholeChunks = Math.floor(blocks / BLOCKS_PER_CHUNK);
    let rest: Buffer | undefined;
    inode.wholeChunks = wholeChunks;
    if (wholeChunks > 0) rest = await this.#writeWhole(inode, segments, wholeChunks, iterator);
    const blocksBefore = wholeChunks * BLOCKS_PER_CHUNK;
    const spoolOffset = this.#spool.sizeBytes;
    await this.#spoolRest(rest, iterator);
    if (blocks === blocksBefore) return;
    this.#items.push({
      inode,
      path: entry.path,
      segments: entry.sparse ? segments : undefined,
      blocksBefore,
      blocks: blocks - blocksBefore,
      spoolOffset,
      bytes: this.#spool.sizeBytes - spoolOffset,
    });
  }

  /** Packs what the layer spooled, in bins of one chunk each; answers whose files they are. */
  async endLayer(): Promise<PackageIndex> {
    await this.#spool.flush();
    const items = this.#items.filter((item) => item.inode.linkCount > 0);
    const packages = this.#indexPackages(items);
    const bins = packItems(items, (path) => packages.ownerOf(path));
    const runs = bins.map((bin) => ({ key: bin[0]!.path, length: 1 }));
    const places = placeByHash(runs, bins.length <= FEW_BINS ? bins.length : slotsFor(bins.length));
    for (const [i, bin] of bins.entries()) {
      await this.#writeBin(bin, this.#nextChunk + places.first[i]!);
    }
    this.#nextChunk += places.slots;
    this.#items = [];
    await this.#spool.clear();
    return packages;
  }

  #indexPackages(items: readonly SpooledItem[]): PackageIndex {
    const packages = new PackageIndex();
    for (const item of items) {
      if (!PackageIndex.isList(item.path) || item.blocksBefore > 0) continue;
      const content = Buffer.allocUnsafe(item.bytes);
      this.#spool.read(item.spoolOffset, item.bytes, content, 0);
      packages.addList(item.path, content.toString('latin1'));
    }
    return packages;
  }

  async #writeBin(bin: readonly SpooledItem[], chunk: number): Promise<void> {
    const buffer = await this.#output.take();
    let at = 0;
    for (const item of bin) {
      const physical = chunk * BLOCKS_PER_CHUNK + at / BLOCK_SIZE_BYTES;
      this.#spool.read(item.spoolOffset, item.bytes, buffer, at);
      const segments = item.segments ?? [{ logical: 0, count: item.blocksBefore + item.blocks }];
      placeBlocks(item.inode, segments, item.blocksBefore, item.blocks, physical);
      const end = at + item.blocks * BLOCK_SIZE_BYTES;
      assert(item.bytes <= end - at, 'content fits the blocks it was given');
      buffer.fill(0, at + item.bytes, end);
      at = end;
    }
    buffer.fill(0, at);
    this.#output.put(chunk, buffer);
  }

  /** Writes whole chunks and answers the bytes that the last piece had beyond them. */
  async #writeWhole(
    inode: Inode,
    segments: readonly Segment[],
    wholeChunks: number,
    stream: AsyncIterator<Buffer>,
  ): Promise<Buffer | undefined> {
    const firstChunk = this.#nextChunk;
    this.#nextChunk += wholeChunks;
    placeBlocks(inode, segments, 0, wholeChunks * BLOCKS_PER_CHUNK, firstChunk * BLOCKS_PER_CHUNK);
    let piece: Buffer | undefined;
    for (let chunk = firstChunk; chunk < this.#nextChunk; chunk++) {
      const buffer = await this.#output.take();
      let filled = 0;
      while (filled < CHUNK_SIZE_BYTES) {
        if (!piece || piece.length === 0) {
          const next = await stream.next();
          piece = next.done ? undefined : next.value;
          if (!piece) break;
        }
        const copied = piece.copy(buffer, filled);
        filled += copied;
        piece = piece.subarray(copied);
      }
      buffer.fill(0, filled);
      this.#output.put(chunk, buffer);
    }
    return piece;
  }

  async #spoolRest(first: Buffer | undefined, stream: AsyncIterator<Buffer>): Promise<void> {
    if (first && first.length > 0) await this.#spool.append(first);
    for (let next = await stream.next(); !next.done; next = await stream.next()) {
      await this.#spool.append(next.value);
    }
  }
}

/** Passes content on, and fails when it has more or fewer bytes than were announced. */
async function* countBytes(content: AsyncIterable<Buffer>, expected: number) {
  let bytes = 0;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > expected) break;
    yield piece;
  }
  if (bytes !== expected) {
    const found = bytes > expected ? 'more' : `only ${bytes}`;
    throw new SluiceError('IMAGE_ENTRY_INVALID', `of ${expected} bytes of content came ${found}`);
  }
}

/**
 * Records that `count` of the file's blocks, after the first `skip` ones that have data, lie at
 * `physical` and behind it.
 */
function placeBlocks(
  inode: Inode,
  segments: readonly Segment[],
  skip: number,
  count: number,
  physical: number,
): void {
  let before = 0;
  for (const segment of segments) {
    const from = Math.max(skip, before);
    const to = Math.min(skip + count, before + segment.count);
    if (from < to) {
      inode.runs = addRun(
        inode.runs,
        segment.logical + from - before,
        physical + from - skip,
        to - from,
      );
    }
    before += segment.count;
  }
}
