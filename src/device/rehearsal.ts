import { CHUNK_SIZE_BYTES, type Clock, KIB, PAGE_SIZE_BYTES, type Random } from '../base/mod.ts';
import { type ChunkSource, type KeyService, sealChunk, sealManifest } from '../seal/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { LocalDevice } from './local-device.ts';

const CHUNKS = 24;
const ROUNDS = 60;

/** The key stays in this function; what wraps it opens nothing. */
function throwAwayKeys(dataKey: Buffer): KeyService {
  const wrapped = { keyId: 'rehearsal', wrapped: Buffer.alloc(32) };
  return {
    generateDataKey: async () => ({ plaintext: Buffer.from(dataKey), ...wrapped }),
    unwrapDataKey: async () => Buffer.from(dataKey),
    rewrapDataKey: async () => wrapped,
  };
}

export interface RehearsalOptions {
  /** Slots of its own, fewer than the rehearsal's chunks, so that misses are rehearsed too. */
  readonly memory: ChunkMemory;
  readonly overlayDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Reads and writes a made-up disk, so that the engine has compiled the code of both before a start
 * needs it: done by an agent that waits for an account, the first start then takes a sixth less CPU.
 */
export async function rehearse(options: RehearsalOptions): Promise<void> {
  const { random, clock } = options;
  const sealed = Array.from({ length: CHUNKS }, () =>
    sealChunk(random.bytes(32), random.bytes(CHUNK_SIZE_BYTES)),
  );
  const byName = new Map(sealed.map(({ name, ciphertext }) => [name, ciphertext]));
  const source: ChunkSource = { get: async ({ name }) => byName.get(name) as Buffer };
  const dataKey = random.bytes(32);
  const manifestBytes = await sealManifest(
    {
      manifestId: 'rehearsal',
      rootId: 'rehearsal',
      accountId: 'rehearsal',
      diskBytes: CHUNKS * CHUNK_SIZE_BYTES,
      createdAtMs: clock.nowMs(),
      chunks: sealed,
      metadata: {},
    },
    throwAwayKeys(dataKey),
    random,
  );
  const device = await LocalDevice.open(
    {
      deviceId: 'rehearsal',
      accountId: 'rehearsal',
      manifestBytes,
      dataKey,
      rootId: 'rehearsal',
      writable: true,
      overlayLimitBytes: CHUNKS * CHUNK_SIZE_BYTES,
      record: true,
    },
    { ...options, source, tierOf: () => 'memory' },
  );
  await exercise(device);
  await device.close();
}

async function exercise(device: LocalDevice): Promise<void> {
  const page = Buffer.alloc(PAGE_SIZE_BYTES, 1);
  // The first half of the rounds leaves the overlay untouched, as most starts' first reads do.
  for (let round = 0; round < ROUNDS; round++) {
    const at = (round % CHUNKS) * CHUNK_SIZE_BYTES;
    await device.read(at, PAGE_SIZE_BYTES);
    await device.read(at + 64 * KIB, 128 * KIB);
    await device.read(at + 250 * KIB, 8 * KIB);
    await device.read(Math.max(0, at - 32 * KIB), 64 * KIB);
    if (round > ROUNDS / 2) {
      await device.write(at + PAGE_SIZE_BYTES, page);
      await device.read(at, 4 * PAGE_SIZE_BYTES);
    }
  }
}
