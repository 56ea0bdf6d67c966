import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, type Random } from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import {
  type ChunkName,
  type KeyService,
  type ManifestChunk,
  openManifest,
  sealChunk,
  sealManifest,
} from '../seal/mod.ts';
import { DeviceCounters } from './device-counters.ts';
import { DiskDevice } from './disk-device.ts';
import { Overlay, OverlayScratch } from './overlay.ts';
import { PlainPages } from './plain-pages.ts';

export interface StoredChunk {
  readonly name: ChunkName;
  readonly ciphertext: Buffer;
}

const oneKey = (dataKey: Buffer): KeyService => ({
  generateDataKey: async () => ({
    ...{ keyId: 'k', plaintext: Buffer.from(dataKey), wrapped: Buffer.alloc(61) },
  }),
  unwrapDataKey: async () => Buffer.from(dataKey),
  rewrapDataKey: () => assert.fail('nothing is rewrapped'),
});

/** What a device is opened with, of a disk of these chunks; `undefined` is a zero chunk. */
export async function sealChunks(
  random: Random,
  deviceId: string,
  chunks: readonly (ManifestChunk | undefined)[],
  more: { diskBytes?: number; chunkSizeBytes?: number } = {},
) {
  const dataKey = random.bytes(32);
  const facts = { manifestId: deviceId, rootId: 'root', accountId: '000000000000' };
  const diskBytes = chunks.length * CHUNK_SIZE_BYTES;
  const contents = { ...facts, diskBytes, chunks, createdAtMs: 0, metadata: {}, ...more };
  const manifestBytes = await sealManifest(contents, oneKey(dataKey), random);
  return { ...facts, deviceId, manifestBytes, dataKey, writable: false };
}

/** Memory that has chunks already, as if another device had fetched them. */
export function memoryWith(slots: number, chunks: readonly StoredChunk[] = []): ChunkSlots {
  const memory = new ChunkSlots(ChunkSlots.allocate(slots * CHUNK_SIZE_BYTES));
  for (const chunk of chunks) load(memory, chunk);
  return memory;
}

export function load(memory: ChunkSlots, { name, ciphertext }: StoredChunk): number {
  const slot = memory.reserve(name);
  assert.ok(slot >= 0, 'there is a slot');
  ciphertext.copy(memory.bytes, memory.offsetOf(slot));
  memory.ready(slot, 0);
  return slot;
}

export interface DiskOptions {
  readonly slots?: number;
  readonly writable?: boolean;
  readonly limitBytes?: number;
  /** Those that are in memory from the start; all unless said. */
  readonly loaded?: (chunk: number) => boolean;
}

/** A device's block logic over a disk of these chunks' plaintext; `undefined` is a zero chunk. */
export async function diskOf(
  t: TestContext,
  random: Random,
  plaintexts: readonly (Buffer | undefined)[],
  options: DiskOptions = {},
) {
  const { slots = plaintexts.length + 1, writable = true, limitBytes = 1 << 30 } = options;
  const salt = random.bytes(32);
  const sealed = plaintexts.map((plaintext) => plaintext && sealChunk(salt, plaintext));
  const { manifestBytes, dataKey } = await sealChunks(random, 'disk', sealed);
  const manifest = openManifest(manifestBytes, dataKey);
  const isLoaded = options.loaded ?? (() => true);
  const memory = memoryWith(
    slots,
    sealed.flatMap((chunk, index) => (chunk && isLoaded(index) ? [chunk] : [])),
  );
  const counters = new DeviceCounters();
  const overlay = writable
    ? overlayOf(t, random, manifest.diskBytes / 4096, limitBytes)
    : undefined;
  const disk = new DiskDevice({
    ...{ manifest, memory, plainPages: new PlainPages(memory), counters },
    ...(overlay && { overlay }),
  });
  t.after(() => disk.close());
  const bytes = Buffer.concat(plaintexts.map((each) => each ?? Buffer.alloc(CHUNK_SIZE_BYTES)));
  return { disk, bytes, memory, counters, overlay, sealed };
}

export function overlayOf(t: TestContext, random: Random, pageCount: number, limitBytes: number) {
  const directory = join(temporaryDirectory(t, 'device'), 'overlays');
  mkdirSync(directory);
  const scratch = new OverlayScratch();
  return new Overlay({ path: join(directory, 'o'), pageCount, limitBytes, random, scratch });
}
