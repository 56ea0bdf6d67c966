import { hkdfSync } from 'node:crypto';
import type { Random } from '../base/mod.ts';
import { KEY_BYTES } from './key-wrap.ts';
import { type ManifestContents, sealUnder } from './seal-manifest.ts';

/**
 * The key of a disk's start pack: HKDF-SHA256 (RFC 5869) of the disk's data key, so that whoever
 * may read the disk may make and read its pack, and no key service is asked a second time.
 */
export function packKey(dataKey: Uint8Array, manifestId: string): Buffer {
  return Buffer.from(
    hkdfSync('sha256', dataKey, '', `sluice start pack 1 ${manifestId}`, KEY_BYTES),
  );
}

/** The salt of a pack's chunks, from the pack's key: no two disks' packs share a chunk. */
export function packSalt(key: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', 'sluice start pack chunks 1', KEY_BYTES));
}

/** The id that the index of a disk's start pack has in its header. */
export function packIdOf(manifestId: string): string {
  return `${manifestId}.pack`;
}

/** The bytes of a pack's index: a manifest of its chunks, that no key but the pack's opens. */
export function sealPack(
  contents: Omit<ManifestContents, 'kind'>,
  key: Buffer,
  random: Random,
): Buffer {
  const none = { keyId: '', wrapped: Buffer.alloc(0) };
  return sealUnder({ ...contents, kind: 'pack' }, { ...none, plaintext: key }, random);
}
