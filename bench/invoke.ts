import { join } from 'node:path';
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { formatTable } from '../src/cli/mod.ts';
import { repositoryRoot } from '../test/repo/repository.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../test/support/region.ts';
import { runOrThrow } from '../test/support/run.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { createActiveFunction, imageSource } from './support/active-function.ts';
import { medianOf, quantileOf } from './support/statistics.ts';

export const title =
  'cold create to first answer, share read, warm invokes, flatten speed (Node image)';

const COLD_RUNS = 7;
const WARM_RUNS = 3000;
const WARM_UP = 500;

const sluice = join(repositoryRoot, 'bin/sluice');

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

const invoke = (client: LambdaClient, name: string) =>
  client.send(new InvokeCommand({ FunctionName: name, Payload: '{"mode":"echo"}' }));

/** A region of its own for each run, so that every cache of Sluice is empty. */
async function coldRun(directory: string, imageUri: string) {
  const region = await startRegion(undefined, directory);
  try {
    const client = region.client();
    const createMs = await timed(() => createActiveFunction(client, 'cold', imageSource(imageUri)));
    const coldInvokeMs = await timed(() => invoke(client, 'cold'));
    const bytesFetched = await fetchedBytes(region);
    return { createMs, coldInvokeMs, createToAnswerMs: createMs + coldInvokeMs, bytesFetched };
  } finally {
    await region.stop();
  }
}

const fetchedBytes = (region: RunningRegion) =>
  readMetric(region, 'sluice_device_fetched_bytes_total');

/** Warm invokes of one client on one connection, and a second sandbox's start on a warm agent. */
async function warmRun(directory: string, imageUri: string) {
  const region = await startRegion(undefined, directory);
  try {
    const client = region.client();
    await createActiveFunction(client, 'warm', imageSource(imageUri));
    const times: number[] = [];
    for (let index = 0; index < WARM_UP + WARM_RUNS; index++) {
      times.push(await timed(() => invoke(client, 'warm')));
    }
    return times.slice(WARM_UP);
  } finally {
    await region.stop();
  }
}

interface Flattened {
  readonly diskBytes: number;
  readonly storedBytes: number;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
}

async function flattenRun(directory: string, imageUri: string): Promise<Flattened> {
  const words = ['image', 'add', imageUri, '--data', directory, '--json'];
  const added = JSON.parse(await runOrThrow(sluice, words)) as Record<string, number | string>;
  const inspect = ['image', 'inspect', String(added['manifestId']), '--data', directory, '--json'];
  const facts = JSON.parse(await runOrThrow(sluice, inspect)) as Record<string, number>;
  return {
    diskBytes: Number(added['diskBytes']),
    storedBytes: facts['storedBytes'] ?? 0,
    seconds: Number(added['seconds']),
    peakMemoryBytes: Number(added['peakMemoryBytes']),
  };
}

export async function run(): Promise<unknown> {
  const scratch = scratchDirectory('bench-invoke');
  try {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const cold: Awaited<ReturnType<typeof coldRun>>[] = [];
    const flattened: Flattened[] = [];
    for (let index = 0; index < COLD_RUNS; index++) {
      cold.push(await coldRun(join(scratch.path, `cold-${index}`), image));
      flattened.push(await flattenRun(join(scratch.path, `flatten-${index}`), image));
    }
    const warm = await warmRun(join(scratch.path, 'warm'), image);
    const { storedBytes = 0, diskBytes = 0 } = flattened[0] ?? {};
    const result = {
      runs: { cold: COLD_RUNS, warm: WARM_RUNS },
      diskBytes,
      storedBytes,
      createMsMedian: medianOf(cold.map((each) => each.createMs)),
      createToAnswerMsMedian: medianOf(cold.map((each) => each.createToAnswerMs)),
      coldInvokeMsMedian: medianOf(cold.map((each) => each.coldInvokeMs)),
      firstInvokeShareOfStored: medianOf(cold.map((each) => each.bytesFetched)) / storedBytes,
      warmMsP50: quantileOf(warm, 0.5),
      warmMsP99: quantileOf(warm, 0.99),
      flattenMbPerSecond: storedBytes / 1e6 / medianOf(flattened.map((each) => each.seconds)),
      flattenPeakMemoryMb: medianOf(flattened.map((each) => each.peakMemoryBytes)) / 1e6,
    };
    const rows = Object.entries(result)
      .filter(([, value]) => typeof value === 'number')
      .map(([name, value]) => [name, Number(value).toFixed(3)]);
    process.stdout.write(`${formatTable(['figure', 'value'], rows)}\n`);
    return result;
  } finally {
    scratch.remove();
  }
}
