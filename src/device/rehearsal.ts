import { zstdCompressSync } from 'node:zlib';
import { CHUNK_SIZE_BYTES, type Clock, KIB, PAGE_SIZE_BYTES, type Random } from '../base/mod.ts';
import {
  type ChunkSource,
  type KeyService,
  packIdOf,
  packKey,
  type SealedChunk,
  sealChunk,
  sealManifest,
  sealPack,
} from '../seal/mod.ts';
import { ChunkFiller } from './chunk-filler.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { LocalDevice } from './local-device.ts';
import type { PackedFrame } from './messages.ts';
import { FRAME_PAGES, type PackMetadata } from './start-pack.ts';

const CHUNKS = 24;
const ROUNDS = 60;
const FRAMES = 6;
const FRAME_BYTES = FRAME_PAGES * PAGE_SIZE_BYTES;

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
 * Reads and writes a made-up disk, without a start pack and with one, so that the engine has compiled
 * the code of all that before a start needs it: done by an agent that waits for an account, the first
 * start then takes a sixth less CPU.
 */
export async function rehearse(options: RehearsalOptions): Promise<void> {
  const { random, clock } = options;
  const sealed = Array.from({ length: CHUNKS }, () =>
    sealChunk(random.bytes(32), random.bytes(CHUNK_SIZE_BYTES)),
  );
  const { frames, chunk } = madeUpFrames(random);
  const source = sourceOf([...sealed, chunk]);
  const dataKey = random.bytes(32);
  const facts = { manifestId: 'rehearsal', rootId: 'rehearsal', accountId: 'rehearsal' };
  const createdAtMs = clock.nowMs();
  const diskBytes = CHUNKS * CHUNK_SIZE_BYTES;
  const contents = { ...facts, diskBytes, createdAtMs, chunks: sealed, metadata: {} };
  const manifestBytes = await sealManifest(contents, throwAwayKeys(dataKey), random);
  // Pages of the disk's last chunks, in an order of the pack's own.
  const runs = Array.from({ length: FRAMES }, (_, index): [number, number] => [
    ((FRAMES - index) * 2 * CHUNK_SIZE_BYTES) / PAGE_SIZE_BYTES,
    FRAME_PAGES,
  ]);
  const metadata: PackMetadata = { version: 1, runs, frames };
  const pack = sealPack(
    {
      ...facts,
      ...{ manifestId: packIdOf('rehearsal'), diskBytes: CHUNK_SIZE_BYTES, createdAtMs },
      ...{ chunks: [chunk], metadata: { ...metadata } },
    },
    packKey(dataKey, 'rehearsal'),
    random,
  );
  for (const packs of [{}, { pack }]) {
    const device = await LocalDevice.open(
      {
        ...{ deviceId: 'rehearsal', accountId: 'rehearsal', rootId: 'rehearsal' },
        ...{ manifestBytes, dataKey, writable: true, record: true, ...packs },
        overlayLimitBytes: CHUNKS * CHUNK_SIZE_BYTES,
      },
      { ...options, source, tierOf: () => 'memory' },
    );
    if (packs.pack) await readPacked(device, runs);
    else await exercise(device);
    await device.close();
  }
}

/**
 * The same for the thread that brings what devices miss: chunks, and blocks of start packs. Until
 * `ended` is aborted, for it is a thread that may be needed meanwhile.
 */
export async function rehearseFilling(
  { clock, random }: Pick<RehearsalOptions, 'clock' | 'random'>,
  ended: AbortSignal,
): Promise<void> {
  const { frames, chunk } = madeUpFrames(random);
  let settle = () => {};
  const filler = new ChunkFiller({
    memoryBytes: Buffer.alloc(CHUNK_SIZE_BYTES),
    source: sourceOf([chunk]),
    tierOf: () => 'memory',
    clock,
    command: () => settle(),
  });
  const wanted = { slot: 0, rootId: 'rehearsal', name: chunk.name, ahead: true };
  const fill = async (packed?: readonly PackedFrame[]) => {
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    filler.fill({ ...wanted, ...(packed && { frames: packed }) });
    await settled;
  };
  for (let round = 0; round < ROUNDS && !ended.aborted; round++) {
    await fill();
    await fill(packedIn(chunk, frames).slice(0, 2));
    // Whoever is asked for meanwhile goes first.
    await clock.sleep(0);
  }
}

function sourceOf(chunks: readonly SealedChunk[]): ChunkSource {
  const byName = new Map(chunks.map(({ name, ciphertext }) => [name, ciphertext]));
  return { get: async ({ name }) => byName.get(name) as Buffer };
}

/** A pack's only chunk, and the bytes of its frames. */
function madeUpFrames(random: Random): { frames: readonly number[]; chunk: SealedChunk } {
  const page = Buffer.concat([random.bytes(PAGE_SIZE_BYTES / 4), Buffer.alloc(FRAME_BYTES)]);
  const packed = Array.from({ length: FRAMES }, () =>
    zstdCompressSync(page.subarray(0, FRAME_BYTES)),
  );
  const stored = Buffer.concat(packed, CHUNK_SIZE_BYTES);
  return {
    frames: packed.map(({ length }) => length),
    chunk: sealChunk(random.bytes(32), stored),
  };
}

function packedIn({ name, key }: SealedChunk, frames: readonly number[]): PackedFrame[] {
  let next = 0;
  return frames.map((bytes) => {
    const at = next;
    next += bytes;
    return { parts: [{ name, key: new Uint8Array(key), at, bytes }], plainBytes: FRAME_BYTES };
  });
}

async function readPacked(
  device: LocalDevice,
  runs: readonly (readonly [page: number, pages: number])[],
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const [page] = runs[round % runs.length]!;
    const at = page * PAGE_SIZE_BYTES;
    await device.read(at, PAGE_SIZE_BYTES);
    await device.read(at + 8 * KIB, 32 * KIB);
    await device.read(at, 128 * KIB);
  }
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
