import { zstdDecompressSync } from 'node:zlib';
import { CHUNK_SIZE_BYTES, limits, SluiceError } from '../base/mod.ts';
import { type ChunkName, type ChunkRef, openRange } from '../seal/mod.ts';
import { TIERS, type Tier } from './device-counters.ts';
import type { PackedFrame } from './messages.ts';

/** A chunk, verified, and the tier that had it. */
export interface BroughtChunk {
  readonly bytes: Buffer;
  readonly tier: Tier;
}

type Chunks = ReadonlyMap<ChunkName, Buffer>;

interface Shared {
  readonly chunk: Promise<BroughtChunk>;
  users: number;
}

/**
 * Opens blocks of start packs, in the thread that may wait: brings the chunks that their frames lie
 * in, decrypts and decompresses them. Blocks that follow each other share chunks, which are brought
 * once and kept until the blocks that asked for them, and a few more, are open.
 */
export class PackOpener {
  readonly #bring: (ref: ChunkRef) => Promise<BroughtChunk>;
  readonly #chunks = new Map<ChunkName, Shared>();
  /** A frame, decrypted: no larger than a chunk. */
  readonly #packed = Buffer.alloc(CHUNK_SIZE_BYTES);

  constructor(bring: (ref: ChunkRef) => Promise<BroughtChunk>) {
    this.#bring = bring;
  }

  /**
   * Fills `into` with the frames' pages, one frame after the other, and answers the farthest tier that
   * a chunk came from. Rejects with the chunks' errors, and `CHUNK_CORRUPT` for what is no such frame.
   * Overwrites the frames' keys.
   */
  async open(rootId: string, frames: readonly PackedFrame[], into: Buffer): Promise<Tier> {
    const names = [...new Set(frames.flatMap(({ parts }) => parts.map(({ name }) => name)))];
    const shared = names.map((name) => this.#take({ rootId, name }));
    try {
      const brought = await Promise.all(shared.map(({ chunk }) => chunk));
      const chunks = new Map(names.map((name, index) => [name, brought[index]!.bytes]));
      let at = 0;
      for (const frame of frames) {
        this.#open(frame, chunks, into.subarray(at, at + frame.plainBytes));
        at += frame.plainBytes;
      }
      return farthest(brought.map(({ tier }) => tier));
    } finally {
      for (const each of shared) each.users--;
      for (const { parts } of frames) for (const { key } of parts) key.fill(0);
      this.#forget();
    }
  }

  #open({ parts, plainBytes }: PackedFrame, chunks: Chunks, into: Buffer): void {
    let bytesAll = 0;
    for (const { name, key, at, bytes } of parts) {
      const place = this.#packed.subarray(bytesAll, bytesAll + bytes);
      openRange(
        Buffer.from(key.buffer, key.byteOffset, key.length),
        chunks.get(name)!,
        at,
        bytes,
        place,
      );
      bytesAll += bytes;
    }
    const plain = decompressed(this.#packed.subarray(0, bytesAll), plainBytes);
    plain.copy(into);
    release(plain);
  }

  #take(ref: ChunkRef): Shared {
    const known = this.#chunks.get(ref.name);
    const shared = known ?? { chunk: this.#bring(ref), users: 0 };
    shared.users++;
    if (known) return known;
    this.#chunks.set(ref.name, shared);
    shared.chunk.catch(() => this.#chunks.delete(ref.name));
    return shared;
  }

  #forget(): void {
    const unused = [...this.#chunks].filter(([, { users }]) => users === 0);
    for (const [name] of unused.slice(0, -limits.device.packChunksKept)) this.#chunks.delete(name);
  }
}

/** The pages of a frame. One buffer of the right size: Node gathers small ones, at twice the cost. */
function decompressed(packed: Buffer, plainBytes: number): Buffer {
  try {
    const sizes = { maxOutputLength: plainBytes, chunkSize: plainBytes };
    const plain = zstdDecompressSync(packed, sizes);
    if (plain.length === plainBytes) return plain;
  } catch (cause) {
    throw noFrame(cause);
  }
  throw noFrame();
}

function noFrame(cause?: unknown): SluiceError {
  return new SluiceError('CHUNK_CORRUPT', 'start pack: a frame does not open', { cause });
}

/** Frees a buffer's memory at once, whose pages the next buffer then has and need not fault in. */
function release({ buffer, length }: Buffer): void {
  if (buffer.byteLength === length) (buffer as ArrayBuffer).transfer(0);
}

function farthest(tiers: readonly Tier[]): Tier {
  return TIERS[Math.max(...tiers.map((tier) => TIERS.indexOf(tier)))]!;
}
