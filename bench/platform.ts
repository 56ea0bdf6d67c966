import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/mod.ts';
import { writeImageLayout } from '../src/oci/mod.ts';
import { repositoryRoot } from '../test/repo/repository.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { cold } from './platform-cold.ts';
import { clientOf, invoke, overhead, SECONDS, warm } from './platform-invokes.ts';
import { createActiveFunction, imageSource } from './support/active-function.ts';
import { trivialInvokes } from './support/trivial-runtime-api.ts';

export const title =
  'warm invokes on 1 and 16 connections, cold starts and their parts, 100 at once, idle functions';
export const takes = { options: { idle: { type: 'string' }, only: { type: 'string' } } } as const;

const PARALLEL = 100;
const IDLE_FUNCTIONS = 1000;
/** Creates under way at once; the region flattens two images at a time. */
const CREATES_AT_ONCE = 4;

/** As many first invokes of one function at once: all have to be answered. */
async function burst(region: RunningRegion, imageUri: string) {
  const client = clientOf(region, PARALLEL);
  await createActiveFunction(client, 'burst', imageSource(imageUri));
  const startMs = performance.now();
  const all = Array.from({ length: PARALLEL }, () => invoke(client, 'burst'));
  const settled = await Promise.allSettled(all);
  const ms = performance.now() - startMs;
  const answered = settled.filter((each) => each.status === 'fulfilled').length;
  const coldStarts = await readMetric(region, 'sluice_cold_starts_total');
  client.destroy();
  return { answered, ms, coldStarts, coldStartsPerSecond: (coldStarts * 1000) / ms };
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** What functions cost that are there and do nothing; their image is small, their number is not. */
async function idle(region: RunningRegion, layout: string, functions: number) {
  await writeImageLayout(layout, {
    layers: [{ compression: 'none', write: (tar) => tar.add({ path: 'f' }, Buffer.from('f')) }],
  });
  const pid = region.process.pid ?? 0;
  const client = clientOf(region, CREATES_AT_ONCE);
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  const before = { bytes: residentBytes(pid), descriptors: descriptors() };
  const source = imageSource(`oci:${layout}`);
  let made = 0;
  const creates = Array.from({ length: CREATES_AT_ONCE }, async () => {
    while (made < functions) await createActiveFunction(client, `idle-${made++}`, source);
  });
  await Promise.all(creates);
  client.destroy();
  return {
    functions,
    bytesEach: (residentBytes(pid) - before.bytes) / functions,
    descriptorsMore: descriptors() - before.descriptors,
  };
}

/** One part of the benchmark, in a region of its own; prints its figures as soon as it has them. */
async function part<T extends object>(
  path: string,
  work: (region: RunningRegion) => Promise<T>,
): Promise<T> {
  const region = await startRegion(undefined, path);
  try {
    const figures = await work(region);
    print({ [basename(path)]: figures });
    return figures;
  } finally {
    await region.stop();
  }
}

/** The trivial Runtime API, and beside it what the platform adds to a warm invoke. */
async function warmInvokes(scratch: string, image: string, onlyOverhead: boolean) {
  const trivial = await trivialInvokes(
    join(repositoryRoot, 'examples/demo/image/bootstrap.mjs'),
    join(repositoryRoot, 'test/e2e/image'),
    'handler.handler',
    SECONDS,
  );
  print({ trivial });
  const warmed = await part(join(scratch, 'warm'), async (region) => {
    const client = clientOf(region, 1);
    await createActiveFunction(client, 'warm', imageSource(image));
    client.destroy();
    const overheadOne = await overhead(region, 'warm', 1);
    const overheadSixteen = await overhead(region, 'warm', 16);
    if (onlyOverhead) return { overheadOne, overheadSixteen };
    const one = await warm(region, 'warm', 1);
    const sixteen = await warm(region, 'warm', 16);
    const coldStarts = await readMetric(region, 'sluice_cold_starts_total');
    return { overheadOne, overheadSixteen, one, sixteen, coldStarts };
  });
  const cpuShareOfTrivial = trivial.cpuUsPerInvoke / warmed.overheadOne.cpuUsPerInvoke;
  return { trivial, warm: warmed, cpuShareOfTrivial };
}

/**
 * `--idle N`: how many idle functions are made, which takes most of the time. `--only overhead`:
 * the trivial Runtime API and warm invokes by the light client, and nothing else (half a minute).
 */
export async function run(flags: readonly string[]): Promise<unknown> {
  const { values } = parseArgs({
    args: [...flags],
    options: {
      idle: { type: 'string', default: String(IDLE_FUNCTIONS) },
      only: { type: 'string' },
    },
  });
  if (values.only !== undefined && values.only !== 'overhead') {
    throw new Error(`--only ${values.only}: there is overhead`);
  }
  const scratch = scratchDirectory('bench-platform');
  try {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const onlyOverhead = values.only === 'overhead';
    const figures = await warmInvokes(scratch.path, image, onlyOverhead);
    if (onlyOverhead) return figures;
    return {
      ...figures,
      burst: await part(join(scratch.path, 'burst'), (region) => burst(region, image)),
      cold: await part(join(scratch.path, 'cold'), (region) => cold(region, image)),
      idle: await part(join(scratch.path, 'idle'), (region) =>
        idle(region, join(scratch.path, 'small'), Number(values.idle)),
      ),
    };
  } finally {
    scratch.remove();
  }
}

function print(figures: object): void {
  process.stdout.write(`${formatTable(['figure', 'value'], rowsOf(figures))}\n`);
}

function rowsOf(value: object, prefix = ''): string[][] {
  return Object.entries(value).flatMap(([name, each]: [string, unknown]) =>
    typeof each === 'object' && each !== null
      ? rowsOf(each, `${prefix}${name} `)
      : [[`${prefix}${name}`, Number(each).toFixed(2)]],
  );
}
