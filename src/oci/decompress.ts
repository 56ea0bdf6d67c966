import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { isSluiceError, MIB, SluiceError, systemErrorCode } from '../base/mod.ts';
import { ByteReader } from './byte-reader.ts';
import type { Digest } from './digest.ts';
import { isZstdMagic, ZstdFrameError, ZstdFrameFilter } from './zstd-frames.ts';

export type Compression = 'gzip' | 'zstd' | 'none';

/** What one call into zlib may answer: fewer, larger calls leave the main thread alone. */
const OUTPUT_BYTES = 1 * MIB;
/** How far decompression runs ahead of its reader. */
const AHEAD_BYTES = 4 * MIB;

/** By the first four bytes, as containerd and docker tell; media types lie often enough. */
export function detectCompression(head: Buffer): Compression {
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  if (head.length >= 4 && isZstdMagic(head.readUInt32LE(0))) return 'zstd';
  return 'none';
}

/**
 * The bytes of a blob, decompressed: gzip of one or several members, zstd of one or several frames,
 * or as they are. Errors of `source` pass through; a stream cut short is `IMAGE_LAYER_TRUNCATED`,
 * one that does not decompress `IMAGE_LAYER_CORRUPT`.
 */
export async function* decompressed(
  source: AsyncIterable<Buffer>,
  layerDigest: Digest,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  try {
    await reader.ensure(4);
    const head = reader.peek(4);
    const compression = detectCompression(head);
    if (compression === 'none') {
      yield* remaining(reader);
    } else if (compression === 'gzip') {
      yield* through(
        remaining(reader),
        createGunzip({ chunkSize: OUTPUT_BYTES, ...ahead }),
        layerDigest,
      );
    } else {
      yield* through(
        withoutSkippableFrames(remaining(reader), layerDigest),
        createZstdDecompress({ chunkSize: OUTPUT_BYTES, ...ahead }),
        layerDigest,
      );
    }
  } finally {
    await reader.close();
  }
}

const ahead = { readableHighWaterMark: AHEAD_BYTES };

async function* remaining(reader: ByteReader): AsyncGenerator<Buffer> {
  while (await reader.fill()) yield reader.take(reader.available);
}

async function* withoutSkippableFrames(
  source: AsyncIterable<Buffer>,
  layerDigest: Digest,
): AsyncGenerator<Buffer> {
  const frames = new ZstdFrameFilter();
  for await (const bytes of source) {
    yield* frames.filter(bytes);
  }
  if (!frames.complete) throw endsEarly(layerDigest);
}

async function* through(
  source: AsyncGenerator<Buffer>,
  transform: Transform,
  layerDigest: Digest,
): AsyncGenerator<Buffer> {
  let input: Readable | undefined;
  try {
    // A stream without a frame is no error, and nothing to decompress.
    const first = await source.next();
    if (first.done) return;
    input = Readable.from(startingWith(first.value, source));
    input.on('error', (error) => transform.destroy(error));
    input.pipe(transform);
    for await (const bytes of transform) yield bytes;
  } catch (error) {
    // The blob's own verdict goes first: bytes that are not the digest's explain all the rest.
    if (input && !isSluiceError(error)) await drain(input);
    throw decompressError(error, layerDigest);
  } finally {
    input?.destroy();
    transform.destroy();
  }
}

async function* startingWith(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

async function drain(input: Readable): Promise<void> {
  if (input.destroyed) return;
  input.unpipe();
  for await (const _ of input);
}

function endsEarly(layerDigest: Digest, cause?: unknown): SluiceError {
  return new SluiceError(
    'IMAGE_LAYER_TRUNCATED',
    `layer ${layerDigest}: its compressed stream ends early; build or fetch the image again`,
    { data: { layer: layerDigest }, cause },
  );
}

function decompressError(error: unknown, layerDigest: Digest): unknown {
  const code = systemErrorCode(error) ?? '';
  if (code === 'Z_BUF_ERROR') return endsEarly(layerDigest, error);
  if (error instanceof ZstdFrameError || code.startsWith('Z_') || code.startsWith('ZSTD_')) {
    return new SluiceError(
      'IMAGE_LAYER_CORRUPT',
      `layer ${layerDigest}: it does not decompress (${(error as Error).message})`,
      { data: { layer: layerDigest }, cause: error },
    );
  }
  return error;
}
