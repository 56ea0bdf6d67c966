import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { GIB } from '../src/base/mod.ts';
import { formatTable } from '../src/cli/mod.ts';
import { openImage } from '../src/oci/mod.ts';
import { repositoryRoot } from '../test/repo/repository.ts';
import { runOrThrow } from '../test/support/run.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { locality, million } from './flatten-extremes.ts';
import { writeHostImage, writeLargeImage } from './support/flatten-image.ts';
import { numpyImage } from './support/numpy-image.ts';
import { medianOf } from './support/statistics.ts';

export const title =
  'image add beside umoci unpack + mkfs.ext4 -d, by stages; debian: one layer; large, million, locality: extremes';
export const takes = { words: ['debian', 'large', 'million', 'locality'] };

const ROUNDS = 3;
const LARGE_FILES = 300_000;
const LARGE_NEEDS_BYTES = 30 * GIB;

const sluice = join(repositoryRoot, 'bin/sluice');
const stageProgram = join(import.meta.dirname, 'support/flatten-stage.ts');
/** As the flattener's process is started. */
const NODE_FLAGS = ['--optimize-for-size', '--max-semi-space-size=4'];

interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Wall and processor time of a program and its children, by the shell's `time`. */
async function timed(...words: string[]): Promise<Cost> {
  const script = 'TIMEFORMAT="%R %U %S"; { time "$@" >/dev/null 2>&1; } 2>&1';
  const output = await runOrThrow('bash', ['-ec', script, 'bash', ...words]);
  const [seconds = 0, user = 0, system = 0] = output.trim().split(' ').map(Number);
  return { seconds, cpuSeconds: user + system };
}

async function reference(layout: string, directory: string): Promise<Cost> {
  const bundle = join(directory, 'bundle');
  const disk = join(directory, 'disk');
  const unpack = await timed('umoci', 'unpack', '--image', `${layout}:latest`, bundle);
  const pack = await timed('mkfs.ext4', '-q', '-d', join(bundle, 'rootfs'), disk, '12G');
  rmSync(bundle, { recursive: true });
  rmSync(disk);
  return {
    seconds: unpack.seconds + pack.seconds,
    cpuSeconds: unpack.cpuSeconds + pack.cpuSeconds,
  };
}

async function add(layout: string, directory: string): Promise<Cost> {
  const data = join(directory, 'data');
  const cost = await timed(sluice, 'image', 'add', `oci:${layout}`, '--data', data, '--json');
  rmSync(data, { recursive: true });
  return cost;
}

async function stages(layout: string, directory: string) {
  const costs: Record<string, Cost & { peakMemoryMb: number }> = {};
  for (const stage of ['decompress', 'tar', 'disk', 'seal', 'store']) {
    const origin = join(directory, 'origin');
    mkdirSync(origin);
    const words = [...NODE_FLAGS, stageProgram, stage, `oci:${layout}`, origin];
    costs[stage] = JSON.parse(await runOrThrow(process.execPath, words));
    rmSync(origin, { recursive: true });
  }
  return costs;
}

async function tarBytesOf(layout: string): Promise<number> {
  const image = await openImage(`oci:${layout}`);
  let bytes = 0;
  for (let index = 0; index < image.layers.length; index++) {
    for await (const part of image.openLayer(index)) bytes += part.length;
  }
  await image.close();
  return bytes;
}

/** Rounds of both, in turn, so that what else the machine does hits both. */
async function compare(layout: string, directory: string) {
  const ours: Cost[] = [];
  const theirs: Cost[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await add(layout, directory));
    theirs.push(await reference(layout, directory));
  }
  const summary = (costs: readonly Cost[]): Cost => ({
    seconds: medianOf(costs.map((each) => each.seconds)),
    cpuSeconds: medianOf(costs.map((each) => each.cpuSeconds)),
  });
  const [imageAdd, umociMkfs] = [summary(ours), summary(theirs)];
  return { imageAdd, umociMkfs, shareOfReference: imageAdd.seconds / umociMkfs.seconds };
}

async function large(directory: string) {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < LARGE_NEEDS_BYTES) {
    return { skipped: `less than ${LARGE_NEEDS_BYTES / GIB} GiB of disk are free` };
  }
  const layout = join(directory, 'large');
  await writeLargeImage(layout, LARGE_FILES);
  const data = join(directory, 'data');
  const words = ['image', 'add', `oci:${layout}`, '--data', data, '--json'];
  const added = JSON.parse(await runOrThrow(sluice, words, { timeoutMs: 3_600_000 }));
  const { seconds, peakMemoryBytes } = added as Record<string, number>;
  return { files: LARGE_FILES, seconds, peakMemoryMb: Number(peakMemoryBytes) / 1e6 };
}

/** Debian with NumPy in one gzip layer, as most images have their base: nothing in parallel. */
async function debian(directory: string) {
  return compare((await numpyImage()).layout, directory);
}

/** `npm run bench -- flatten [debian | large | million | locality]` */
export async function run(flags: readonly string[]): Promise<unknown> {
  const scratch = scratchDirectory('bench-flatten');
  try {
    for (const [name, extreme] of Object.entries({ debian, large, million, locality })) {
      if (!flags.includes(name)) continue;
      const result = await extreme(scratch.path);
      process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
      return result;
    }
    const layout = join(scratch.path, 'image');
    await writeHostImage(layout);
    const tarBytes = await tarBytesOf(layout);
    const comparison = await compare(layout, scratch.path);
    const costs = await stages(layout, scratch.path);
    const perSecond = (cost: Cost) => (tarBytes / 1e6 / cost.seconds).toFixed(0);
    const rows = Object.entries({
      'image add': comparison.imageAdd,
      'umoci + mkfs.ext4 -d': comparison.umociMkfs,
      ...Object.fromEntries(Object.entries(costs).map(([name, cost]) => [`… ${name}`, cost])),
    }).map(([name, cost]) => [
      name,
      cost.seconds.toFixed(2),
      cost.cpuSeconds.toFixed(2),
      perSecond(cost),
      'peakMemoryMb' in cost ? Number(cost.peakMemoryMb).toFixed(0) : '',
    ]);
    const header = ['', 'seconds', 'cpu seconds', 'MB/s of tar', 'peak MB'];
    process.stdout.write(`${formatTable(header, rows)}\n`);
    return { tarBytes, ...comparison, stages: costs };
  } finally {
    scratch.remove();
  }
}
