import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type ErrorData, isSluiceError, MIB, SluiceError, systemErrorCode } from '../base/mod.ts';
import { ByteReader } from './byte-reader.ts';
import { unknownCompression } from './documents.ts';
import { isZstdMagic, ZstdFrameError, ZstdFrameFilter } from './zstd-frames.ts';

export type Compression = 'gzip' | 'zstd' | 'none';
/** With those that are told by their first bytes, to be refused by name. */
export type FoundCompression = Compression | 'xz' | 'bzip2';

/** What one call into zlib may answer: fewer, larger calls leave the main thread alone. */
const OUTPUT_BYTES = 1 * MIB;
/** How far decompression runs ahead of its reader. */
const AHEAD_BYTES = 4 * MIB;

const XZ_MAGIC = Buffer.from('fd377a585a00', 'hex');
/** After `BZh` and the level: the magic of a block, or of the end where there is none. */
const BZIP2_MAGICS = ['314159265359', '177245385090'];
export const COMPRESSION_HEAD_BYTES = 10;

/** By the first ten bytes, as containerd and docker tell; media types lie often enough. */
export function detectCompression(head: Buffer): FoundCompression {
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  if (head.length >= 4 && isZstdMagic(head.readUInt32LE(0))) return 'zstd';
  if (head.subarray(0, XZ_MAGIC.length).equals(XZ_MAGIC)) return 'xz';
  const isBzip2 = /^BZh[1-9]$/.test(head.toString('latin1', 0, 4));
  if (isBzip2 && BZIP2_MAGICS.includes(head.toString('hex', 4, 10))) return 'bzip2';
  return 'none';
}

/** What is decompressed, for errors: `layer sha256:…`, or an archive. */
export interface Decompressed {
  readonly what: string;
  readonly data?: ErrorData;
}

/**
 * The bytes of a blob, decompressed: gzip of one or several members, zstd of one or several frames,
 * or as they are. Errors of `source` pass through; a stream cut short is `IMAGE_LAYER_TRUNCATED`,
 * one that does not decompress `IMAGE_LAYER_CORRUPT`.
 */
export async function* decompressed(
  source: AsyncIterable<Buffer>,
  subject: Decompressed,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  try {
    await reader.ensure(COMPRESSION_HEAD_BYTES);
    const compression = detectCompression(reader.peek(COMPRESSION_HEAD_BYTES));
    if (compression === 'xz' || compression === 'bzip2') {
      throw unknownCompression(subject.what, compression);
    }
    if (compression === 'none') {
      yield* remaining(reader);
    } else if (compression === 'gzip') {
      yield* through(
        remaining(reader),
        createGunzip({ chunkSize: OUTPUT_BYTES, ...ahead }),
        subject,
      );
    } else {
      yield* through(
        withoutSkippableFrames(remaining(reader), subject),
        createZstdDecompress({ chunkSize: OUTPUT_BYTES, ...ahead }),
        subject,
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
  subject: Decompressed,
): AsyncGenerator<Buffer> {
  const frames = new ZstdFrameFilter();
  for await (const bytes of source) {
    yield* frames.filter(bytes);
  }
  if (!frames.complete) throw endsEarly(subject);
}

async function* through(
  source: AsyncGenerator<Buffer>,
  transform: Transform,
  subject: Decompressed,
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
    throw decompressError(error, subject);
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

function endsEarly(subject: Decompressed, cause?: unknown): SluiceError {
  return new SluiceError(
    'IMAGE_LAYER_TRUNCATED',
    `${subject.what}: its compressed stream ends early; build or fetch the image again`,
    { ...(subject.data && { data: subject.data }), cause },
  );
}

function decompressError(error: unknown, subject: Decompressed): unknown {
  const code = systemErrorCode(error) ?? '';
  if (code === 'Z_BUF_ERROR') return endsEarly(subject, error);
  if (error instanceof ZstdFrameError || code.startsWith('Z_') || code.startsWith('ZSTD_')) {
    return new SluiceError(
      'IMAGE_LAYER_CORRUPT',
      `${subject.what}: it does not decompress (${(error as Error).message})`,
      { ...(subject.data && { data: subject.data }), cause: error },
    );
  }
  return error;
}
