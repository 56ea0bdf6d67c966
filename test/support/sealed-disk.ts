import { randomBytes } from 'node:crypto';
import { CHUNK_SIZE_BYTES, systemClock, systemRandom } from '../../src/base/mod.ts';
import { LocalKeyService, type Origin } from '../../src/origin/mod.ts';
import {
  chunkSalt,
  type ManifestChunk,
  sealChunk,
  sealManifest,
  unwrapDataKey,
} from '../../src/seal/mod.ts';

export interface SealedDisk {
  readonly manifestId: string;
  readonly accountId: string;
  readonly rootId: string;
  readonly manifestBytes: Buffer;
  readonly dataKey: Buffer;
}

/** Seals a disk's bytes for an account and stores its chunks, as `image add` would. */
export async function sealDisk(
  disk: Buffer,
  origin: Origin,
  keyDirectory: string,
  accountId = '000000000000',
): Promise<SealedDisk> {
  const rootId = await origin.activeRoot();
  const parts = { rootId, epoch: 0, scope: 'region', placement: '' } as const;
  const salt = chunkSalt(randomBytes(32), parts);
  const chunks: (ManifestChunk | undefined)[] = [];
  for (let at = 0; at < disk.length; at += CHUNK_SIZE_BYTES) {
    const plaintext = Buffer.alloc(CHUNK_SIZE_BYTES);
    disk.copy(plaintext, 0, at);
    if (plaintext.every((byte) => byte === 0)) {
      chunks.push(undefined);
      continue;
    }
    const { name, key, ciphertext } = sealChunk(salt, plaintext);
    await origin.put({ rootId, name }, ciphertext);
    chunks.push({ name, key });
  }
  const keys = new LocalKeyService(keyDirectory, systemClock, systemRandom);
  const manifestId = `manifest-${randomBytes(8).toString('hex')}`;
  const contents = { manifestId, rootId, accountId, diskBytes: disk.length, chunks };
  const createdAtMs = systemClock.nowMs();
  const manifestBytes = await sealManifest(
    { ...contents, createdAtMs, metadata: {} },
    keys,
    systemRandom,
  );
  const dataKey = await unwrapDataKey(manifestBytes, keys);
  return { manifestId, accountId, rootId, manifestBytes, dataKey };
}
