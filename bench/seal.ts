import { createCipheriv, hash, randomBytes } from 'node:crypto';
import { CHUNK_SIZE_BYTES, MIB } from '../src/base/mod.ts';
import { chunkSalt, openRange, sealChunk, verifyChunk } from '../src/seal/mod.ts';
import { medianOf } from './support/statistics.ts';

export const title = 'sealing and opening chunks on one core, beside raw SHA-256 and AES-256-CTR';

const CHUNKS = 16;
const ROUNDS = 60;
const PAGE_BYTES = 4096;

/**
 * The steps take turns, a batch of chunks each, so that a machine that others use slows all alike;
 * processor time, medians over the rounds. AES is the faster of one update and updates of 64 KiB.
 */
export async function run(): Promise<unknown> {
  const plaintexts = Array.from({ length: CHUNKS }, () => randomBytes(CHUNK_SIZE_BYTES));
  const into = Buffer.alloc(CHUNK_SIZE_BYTES);
  const parts = { rootId: 'root', epoch: 0, scope: 'region', placement: '' } as const;
  const salt = chunkSalt(randomBytes(32), parts);
  const key = randomBytes(32);
  const iv = Buffer.alloc(16);
  const sealed = plaintexts.map((each) => sealChunk(salt, each));
  const steps: Record<string, (index: number) => unknown> = {
    sha256: (index) => hash('sha256', plaintexts[index] as Buffer, 'buffer'),
    aesWhole: (index) => createCipheriv('aes-256-ctr', key, iv).update(plaintexts[index] as Buffer),
    aesPieces: (index) => {
      const cipher = createCipheriv('aes-256-ctr', key, iv);
      for (let at = 0; at < CHUNK_SIZE_BYTES; at += MIB / 16) {
        cipher.update((plaintexts[index] as Buffer).subarray(at, at + MIB / 16));
      }
    },
    seal: (index) => sealChunk(salt, plaintexts[index] as Buffer),
    sealInto: (index) => sealChunk(salt, plaintexts[index] as Buffer, into),
    openWhole: (index) => {
      const chunk = sealed[index] as (typeof sealed)[0];
      if (!verifyChunk(chunk.name, chunk.ciphertext)) throw new Error('not the chunk');
      openRange(chunk.key, chunk.ciphertext, 0, CHUNK_SIZE_BYTES, into);
    },
    openPage: (index) => {
      const chunk = sealed[index] as (typeof sealed)[0];
      openRange(chunk.key, chunk.ciphertext, index * PAGE_BYTES, PAGE_BYTES, into);
    },
  };
  const times = measure(steps);
  const aesMs = Math.min(times.aesWhole, times.aesPieces);
  const speed = (ms: number) => CHUNK_SIZE_BYTES / 1e6 / (ms / 1000);
  const sealBoundMs = 2 * times.sha256 + aesMs;
  const openBoundMs = times.sha256 + aesMs;
  const result = {
    sha256MBs: speed(times.sha256),
    aesMBs: speed(aesMs),
    sealMBs: speed(times.seal),
    sealIntoMBs: speed(times.sealInto),
    sealBoundMBs: speed(sealBoundMs),
    sealShareOfBound: sealBoundMs / times.seal,
    sealIntoShareOfBound: sealBoundMs / times.sealInto,
    openMBs: speed(times.openWhole),
    openShareOfBound: openBoundMs / times.openWhole,
    openPageUs: times.openPage * 1000,
  };
  for (const [name, value] of Object.entries(result)) {
    const text = name.includes('Share') ? `${(value * 100).toFixed(1)} %` : value.toFixed(1);
    process.stdout.write(`${name.padEnd(24)} ${text}\n`);
  }
  return result;
}

function measure<Steps extends Record<string, (index: number) => unknown>>(
  steps: Steps,
): Record<string, number> & { sha256: number; aesWhole: number; aesPieces: number } & {
  [name in 'seal' | 'sealInto' | 'openWhole' | 'openPage']: number;
} {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, step] of Object.entries(steps)) {
      const before = process.cpuUsage();
      for (let index = 0; index < CHUNKS; index++) step(index);
      const { user, system } = process.cpuUsage(before);
      const ms = (user + system) / 1000 / CHUNKS;
      samples.set(name, [...(samples.get(name) ?? []), ms]);
    }
  }
  return Object.fromEntries([...samples].map(([name, all]) => [name, medianOf(all)])) as never;
}
