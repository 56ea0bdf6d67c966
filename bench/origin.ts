import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { CHUNK_SIZE_BYTES, limits, MIB, systemClock, systemRandom } from '../src/base/mod.ts';
import { GarbageCollector } from '../src/gc/mod.ts';
import { collectorView, directoryOrigin, LocalKeyService, type Origin } from '../src/origin/mod.ts';
import { type ChunkRef, nameOf, sealManifest } from '../src/seal/mod.ts';

export const title = 'a directory origin: put, get, migrate, and a million chunks listed';
export const takes = { options: { listed: { type: 'string' } } } as const;

const CHUNKS = 400;
const LISTED = 1_000_000;
const options = { clock: systemClock, random: systemRandom };

/** `--listed N`: how many chunks the listing has. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-origin-'));
  try {
    const origin = directoryOrigin(directory, options);
    const moved = await benchChunks(origin, directory);
    const at = flags.indexOf('--listed');
    const listed = await benchList(directory, at < 0 ? LISTED : Number(flags[at + 1]));
    const result = { ...moved, ...listed };
    for (const [name, value] of Object.entries(result)) {
      process.stdout.write(`${name.padEnd(24)} ${value.toFixed(1)}\n`);
    }
    return result;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function benchChunks(origin: Origin, directory: string) {
  const rootId = await origin.activeRoot();
  const chunks = Array.from({ length: CHUNKS }, () => {
    const ciphertext = randomBytes(CHUNK_SIZE_BYTES);
    return { ref: { rootId, name: nameOf(ciphertext) }, ciphertext };
  });
  const put = ({ ref, ciphertext }: { ref: ChunkRef; ciphertext: Buffer }) =>
    origin.put(ref, ciphertext);
  const plain = join(directory, 'plain');
  mkdirSync(plain);
  const writtenMBs = await speed(async () => {
    for (const { ref, ciphertext } of chunks) writeFileSync(join(plain, ref.name), ciphertext);
  });
  await rm(plain, { recursive: true });
  const putMBs = await speed(() => together(limits.origin.parallelPuts, chunks, put));
  const presentMBs = await speed(() => together(limits.origin.parallelPuts, chunks, put));
  const getMBs = await speed(() =>
    together(limits.origin.parallelPuts, chunks, ({ ref }) => origin.get(ref)),
  );
  const getOneByOneMBs = await speed(() => together(1, chunks, ({ ref }) => origin.get(ref)));
  const keyService = new LocalKeyService(join(directory, 'keys'), systemClock, systemRandom);
  const bytes = await sealManifest(
    {
      ...{ manifestId: 'm', rootId, accountId: '000000000000', metadata: {}, createdAtMs: 0 },
      diskBytes: CHUNKS * CHUNK_SIZE_BYTES,
      chunks: chunks.map(({ ref }) => ({ name: ref.name, key: randomBytes(32) })),
    },
    keyService,
    systemRandom,
  );
  await origin.putManifest(rootId, 'm', bytes);
  const live = { liveManifests: () => origin.listManifests(rootId) };
  const collector = new GarbageCollector(collectorView(origin), live, options);
  await collector.rotate();
  const migrateMBs = await speed(() => collector.migrate());
  return { writtenMBs, putMBs, presentMBs, getMBs, getOneByOneMBs, migrateMBs };
}

/** Megabytes of all the chunks a second. */
async function speed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (CHUNKS * CHUNK_SIZE_BYTES) / 1e6 / ((performance.now() - startedMs) / 1000);
}

async function together<T>(
  atOnce: number,
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/**
 * Lists empty chunks of the right names in a process of its own, whose memory is the figure. Its heap
 * is capped at 32 MiB, so that it dies if what it holds grows with the root.
 */
async function benchList(directory: string, count: number) {
  const chunks = join(directory, 'roots', 'listed', 'chunks');
  for (let index = 0; index < 256; index++) {
    mkdirSync(join(chunks, index.toString(16).padStart(2, '0')), { recursive: true });
  }
  for (let index = 0; index < count; index++) {
    const name = nameOf(Buffer.from(String(index)));
    writeFileSync(join(chunks, name.slice(0, 2), name), '');
  }
  const script = `
    import { systemClock, systemRandom } from '${import.meta.dirname}/../src/base/mod.ts';
    import { directoryOrigin } from '${import.meta.dirname}/../src/origin/mod.ts';
    const origin = directoryOrigin('${directory}', { clock: systemClock, random: systemRandom });
    const before = process.memoryUsage.rss();
    const started = performance.now();
    let listed = 0;
    let most = before;
    for await (const name of origin.listChunks('listed')) {
      listed += name.length / 64;
      if (listed % 1000 === 0) most = Math.max(most, process.memoryUsage.rss());
    }
    const ms = performance.now() - started;
    console.log(JSON.stringify({ listed, before, most, ms }));`;
  const words = ['--max-old-space-size=32', '--input-type=module-typescript', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  const [listed, before, most, ms] = Object.values(JSON.parse(stdout) as Record<string, number>);
  return {
    listed: listed ?? Number.NaN,
    listSeconds: (ms ?? Number.NaN) / 1000,
    listGrowthMiB: ((most ?? Number.NaN) - (before ?? 0)) / MIB,
    listPeakMiB: (most ?? Number.NaN) / MIB,
  };
}
