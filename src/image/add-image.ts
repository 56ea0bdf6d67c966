import {
  assert,
  CHUNK_SIZE_BYTES,
  type Clock,
  type Random,
  SluiceError,
  systemErrorCode,
} from '../base/mod.ts';
import type { ImageConfig, OciImage } from '../oci/mod.ts';
import { type ChunkSink, type KeyService, type ManifestChunk, sealManifest } from '../seal/mod.ts';
import { type FlattenSummary, flattenImage } from './flatten.ts';
import type { ImageProcess } from './image-process.ts';
import type { ImagePhase, OnProgress } from './progress.ts';
import { SealPool } from './sealing/seal-pool.ts';

/** Stores a manifest once all its chunks are stored; the origin has it. */
export interface ManifestPut {
  putManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void>;
}

/** For whom an image is sealed, and with what. */
export interface ImageSealer {
  readonly rootId: string;
  readonly accountId: string;
  /** Of the chunks' keys: `chunkSalt` makes it for the root. */
  readonly salt: Buffer;
  readonly keyService: KeyService;
}

export interface AddImageOptions {
  readonly sealer: ImageSealer;
  readonly chunks: ChunkSink;
  readonly manifests: ManifestPut;
  readonly spoolDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A fresh UUID unless given. */
  readonly manifestId?: string;
  readonly sizeLimitBytes?: number;
  /** Sealing threads; one less than the host runs at once unless given. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** What is to run on the disk; what of it is not there is a warning. */
  readonly process?: ImageProcess;
  readonly onProgress?: OnProgress;
}

/** The JSON in a disk manifest's sealed part: all that it takes to run the image. */
export interface DiskMetadata {
  readonly imageReference: string;
  readonly imageDigest: string;
  readonly imageConfig: ImageConfig;
}

/** What was added. Whether chunks were there already is for the operator, never for a tenant. */
export interface ImageRecord extends FlattenSummary {
  readonly manifestId: string;
  readonly rootId: string;
  readonly accountId: string;
  readonly metadata: DiskMetadata;
  readonly createdAtMs: number;
  /** Chunks of the disk without data, which are not stored. */
  readonly zeroChunks: number;
  readonly newChunks: number;
  readonly newBytes: number;
  readonly manifestBytes: number;
}

/**
 * Flattens an image, seals its chunks on all cores, stores those that are absent, and its manifest
 * last. A failure leaves no manifest; chunks that it had stored serve the next attempt.
 */
export async function addImage(image: OciImage, options: AddImageOptions): Promise<ImageRecord> {
  const { sealer, clock, random, manifests } = options;
  const { rootId, accountId, salt, keyService } = sealer;
  const pool = new SealPool({ salt, ...(options.threads && { threads: options.threads }) });
  const sink = new SealingSink(pool, options.chunks, rootId);
  const report = progressReporter(sink, options.onProgress);
  try {
    const summary = await flattenImage(image, {
      sink,
      spoolDirectory: options.spoolDirectory,
      onBytes: report,
      ...(options.sizeLimitBytes && { sizeLimitBytes: options.sizeLimitBytes }),
      ...(options.signal && { signal: options.signal }),
      ...(options.process && { process: options.process }),
    });
    options.signal?.throwIfAborted();
    const bytesTotal = image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    report('manifest', bytesTotal, bytesTotal);
    const metadata = metadataOf(image);
    const manifestId = options.manifestId ?? random.uuid();
    const createdAtMs = clock.nowMs();
    const { diskBytes } = summary;
    const chunks = sink.table(summary.chunkCount);
    const bytes = await sealManifest(
      {
        ...{ manifestId, rootId, accountId, diskBytes, createdAtMs, chunks },
        metadata: { ...metadata },
      },
      keyService,
      random,
    );
    await manifests.putManifest(rootId, manifestId, bytes);
    return {
      ...summary,
      ...{ manifestId, rootId, accountId, metadata, createdAtMs },
      zeroChunks: summary.chunkCount - sink.chunks,
      newChunks: sink.newChunks,
      newBytes: sink.newChunks * CHUNK_SIZE_BYTES,
      manifestBytes: bytes.length,
    };
  } catch (error) {
    const code = systemErrorCode(error);
    // The latter where the operator bounds what may be spooled.
    if (code !== 'ENOSPC' && code !== 'EFBIG') throw error;
    throw new SluiceError('DISK_FULL', `${options.spoolDirectory}: no space left`, {
      cause: error,
    });
  } finally {
    await pool.close();
  }
}

function metadataOf(image: OciImage): DiskMetadata {
  return {
    imageReference: image.resolvedReference,
    imageDigest: image.digest,
    imageConfig: image.config,
  };
}

function progressReporter(sink: SealingSink, onProgress: OnProgress | undefined) {
  return (phase: ImagePhase, bytesDone: number, bytesTotal: number) =>
    onProgress?.({
      ...{ phase, bytesDone, bytesTotal },
      chunks: sink.chunks,
      newChunks: sink.newChunks,
    });
}

const ZERO_CHUNK = Buffer.alloc(CHUNK_SIZE_BYTES);

/** Takes a disk's chunks, drops those of zeros, seals and stores the others. */
class SealingSink {
  readonly #pool: SealPool;
  readonly #chunks: ChunkSink;
  readonly #rootId: string;
  readonly #table: (ManifestChunk | undefined)[] = [];
  chunks = 0;
  newChunks = 0;

  constructor(pool: SealPool, chunks: ChunkSink, rootId: string) {
    this.#pool = pool;
    this.#chunks = chunks;
    this.#rootId = rootId;
  }

  async writeChunk(index: number, data: Buffer): Promise<void> {
    if (data.equals(ZERO_CHUNK)) return;
    await this.#pool.seal(data, async ({ name, key, ciphertext }) => {
      const outcome = await this.#chunks.put({ rootId: this.#rootId, name }, ciphertext);
      assert(this.#table[index] === undefined, 'a chunk is written once');
      this.#table[index] = { name, key };
      this.chunks++;
      if (outcome === 'stored') this.newChunks++;
    });
  }

  /** A place for each of the disk's chunks; those of zeros stay empty. */
  table(chunkCount: number): (ManifestChunk | undefined)[] {
    assert(this.#table.length <= chunkCount, 'no chunk lies beyond the disk');
    return Array.from({ length: chunkCount }, (_, index) => this.#table[index]);
  }
}
