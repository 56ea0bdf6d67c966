import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CHUNK_SIZE_BYTES, systemClock, systemRandom } from '../../src/base/mod.ts';
import { LocalKeyService, type Origin } from '../../src/origin/mod.ts';
import {
  chunkSalt,
  type ManifestChunk,
  sealChunk,
  sealKeyFor,
  sealManifest,
  unwrapDataKey,
} from '../../src/seal/mod.ts';

const zeros = Buffer.alloc(CHUNK_SIZE_BYTES);

export interface SealedDisk {
  readonly manifestId: string;
  readonly accountId: string;
  readonly rootId: string;
  readonly manifestBytes: Buffer;
  readonly dataKey: Buffer;
  /** The same for an agent, as `OpenDeviceRequest` has it. */
  readonly sealKey: (recipient: Uint8Array) => Promise<Buffer>;
}

/** Seals a disk, its bytes or the file that has them, and stores its chunks, as `image add` would. */
export async function sealDisk(
  disk: Buffer | string,
  origin: Origin,
  keyDirectory: string,
  accountId = '000000000000',
): Promise<SealedDisk> {
  const rootId = await origin.activeRoot();
  const parts = { rootId, epoch: 0, scope: 'region', placement: '' } as const;
  const salt = chunkSalt(randomBytes(32), parts);
  const chunks: (ManifestChunk | undefined)[] = [];
  const source = typeof disk === 'string' ? fileDisk(disk) : bufferDisk(disk);
  for (let at = 0; at < source.sizeBytes; at += CHUNK_SIZE_BYTES) {
    const plaintext = Buffer.alloc(CHUNK_SIZE_BYTES);
    source.read(plaintext, at);
    if (plaintext.equals(zeros)) {
      chunks.push(undefined);
      continue;
    }
    const { name, key, ciphertext } = sealChunk(salt, plaintext);
    await origin.put({ rootId, name }, ciphertext);
    chunks.push({ name, key });
  }
  source.close();
  const keys = new LocalKeyService(keyDirectory, systemClock, systemRandom);
  const manifestId = `manifest-${randomBytes(8).toString('hex')}`;
  const contents = { manifestId, rootId, accountId, diskBytes: source.sizeBytes, chunks };
  const createdAtMs = systemClock.nowMs();
  const manifestBytes = await sealManifest(
    { ...contents, createdAtMs, metadata: {} },
    keys,
    systemRandom,
  );
  const dataKey = await unwrapDataKey(manifestBytes, keys);
  const sealKey = async (recipient: Uint8Array) =>
    sealKeyFor(recipient, dataKey, { accountId, manifestId }, systemRandom);
  return { manifestId, accountId, rootId, manifestBytes, dataKey, sealKey };
}

interface DiskBytes {
  readonly sizeBytes: number;
  read(into: Buffer, at: number): void;
  close(): void;
}

function bufferDisk(disk: Buffer): DiskBytes {
  return {
    sizeBytes: disk.length,
    read: (into, at) => void disk.copy(into, 0, at),
    close: () => {},
  };
}

function fileDisk(path: string): DiskBytes {
  const file = openSync(path, 'r');
  return {
    sizeBytes: fstatSync(file).size,
    read: (into, at) => void readSync(file, into, 0, into.length, at),
    close: () => closeSync(file),
  };
}
