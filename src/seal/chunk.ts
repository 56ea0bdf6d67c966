/** The SHA-256 of a chunk's ciphertext, 64 lower-case hex digits: its name in every store. */
export type ChunkName = string;

/** Where a chunk rests: a root is a namespace of its own (ATC'23 section 3.4). */
export interface ChunkRef {
  readonly rootId: string;
  readonly name: ChunkName;
}

/**
 * The read seam of every tier: memory, slab, L2, origin, and decorators of them.
 * Answers the ciphertext whose SHA-256 is `ref.name`, checked where the bytes entered this process;
 * the caller must not write into the Buffer, which a cache may share.
 * Rejects with `CHUNK_MISSING`, `CHUNK_CORRUPT`, `ORIGIN_UNAVAILABLE`, or the signal's reason.
 */
export interface ChunkSource {
  get(ref: ChunkRef, signal?: AbortSignal): Promise<Buffer>;
}

/**
 * A tier on this host's disk. Both calls fill `into`, of a chunk's length, with the chunk, verified;
 * false when it is not available this way, with anything in `into`: only `get` knows more.
 */
export interface NearChunkSource {
  /** In the caller's thread: handing over and back costs more than the read, when one waits. */
  readIntoSync(ref: ChunkRef, into: Buffer): boolean;
  /** For several at once, which a disk takes better than one after the other. */
  readInto(ref: ChunkRef, into: Buffer): Promise<boolean>;
}

/** `present`: a chunk of that name was there already, and nothing was written. */
export type PutOutcome = 'stored' | 'present';

/**
 * The write seam, all that a flattener holds: it can put a chunk and never get one back.
 * `ciphertext` may be reused by the caller once the promise settles.
 */
export interface ChunkSink {
  put(ref: ChunkRef, ciphertext: Buffer): Promise<PutOutcome>;
}
