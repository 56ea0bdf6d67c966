import { createHash, type Hash } from 'node:crypto';
import { SluiceError } from '../base/mod.ts';

/** `sha256:` and 64 lower-case hex digits, or `sha512:` and 128 (image-spec, descriptor.md). */
export type Digest = string;

const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && digestPattern.test(text);
}

/** A hash of the algorithm that `digest` names. */
function hashFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(':')));
}

/** Of what `hash` was fed, in the algorithm of `expected`. */
function digestOf(expected: Digest, hash: Hash): Digest {
  return `${expected.slice(0, expected.indexOf(':'))}:${hash.digest('hex')}`;
}

export function sha256Digest(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Throws `IMAGE_DIGEST_MISMATCH` unless `bytes` are the ones that `digest` names. */
export function verifyDigest(bytes: Buffer, digest: Digest, where: string): void {
  const actual = digestOf(digest, hashFor(digest).update(bytes));
  if (actual === digest) return;
  throw new SluiceError(
    'IMAGE_DIGEST_MISMATCH',
    `${where}: its bytes have the digest ${actual} and not ${digest}; ` +
      'fetch or build the image again',
    { data: { expected: digest, actual } },
  );
}

/**
 * Passes `source` through and checks it at its end: fewer bytes than `sizeBytes` is
 * `IMAGE_LAYER_TRUNCATED`; more, or other bytes, is `IMAGE_DIGEST_MISMATCH`.
 */
export async function* verified(
  source: AsyncIterable<Buffer>,
  expected: { digest: Digest; sizeBytes?: number; layerDigest: Digest },
): AsyncGenerator<Buffer> {
  const { digest, sizeBytes, layerDigest } = expected;
  const hash = hashFor(digest);
  let seenBytes = 0;
  for await (const bytes of source) {
    seenBytes += bytes.length;
    if (sizeBytes !== undefined && seenBytes > sizeBytes) {
      throw new SluiceError(
        'IMAGE_DIGEST_MISMATCH',
        `layer ${layerDigest}: it is longer than the ${sizeBytes} bytes its descriptor states`,
        { data: { layer: layerDigest, sizeBytes } },
      );
    }
    hash.update(bytes);
    yield bytes;
  }
  if (sizeBytes !== undefined && seenBytes < sizeBytes) {
    throw new SluiceError(
      'IMAGE_LAYER_TRUNCATED',
      `layer ${layerDigest}: ${seenBytes} of ${sizeBytes} bytes are there; fetch the image again`,
      { data: { layer: layerDigest, sizeBytes, seenBytes } },
    );
  }
  const actual = digestOf(digest, hash);
  if (actual !== digest) {
    throw new SluiceError(
      'IMAGE_DIGEST_MISMATCH',
      `layer ${layerDigest}: its bytes have the digest ${actual} and not ${digest}; ` +
        'fetch or build the image again',
      { data: { layer: layerDigest, expected: digest, actual } },
    );
  }
}
