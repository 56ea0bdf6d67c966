import { join } from 'node:path';
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  InvokeCommand,
  type LambdaClient,
  PublishLayerVersionCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { systemClock } from '../src/base/mod.ts';
import { formatTable } from '../src/cli/mod.ts';
import { writeImageLayout } from '../src/oci/mod.ts';
import { writeZip } from '../src/zip/mod.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { createActiveFunction, imageSource } from './support/active-function.ts';
import { countersOf, type Sample } from './support/region-counters.ts';

/** Spells of load; after each everything rests. The first warms up. */
const SPELLS = 5;
const SAMPLES_PER_SPELL = 12;
/** Longer than what a stop, a sweep or a checkpoint takes when the machine is busy. */
const REST_MS = 120_000;
const REST_POLL_MS = 2000;

/**
 * What a counter may have more at the last rest than at the first. How much runs at once, which a busy
 * machine changes, does not count at rest, when one sandbox is left; loop devices and cgroups are the host's,
 * so nothing else may run on it.
 */
const slack: Readonly<Record<string, number>> = {
  residentMib: 32,
  helpersMib: 64,
  openFiles: 8,
  threads: 2,
  processes: 6,
  processFiles: 48,
  mounts: 2,
  cgroups: 2,
  loops: 2,
  databaseKib: 8192,
  runFiles: 4,
  files: 100,
  logMib: 64,
};
const REST_SAMPLES = 5;
/** What has to be the same so many times in a row before a sample counts as one of rest. */
const resting = ['openFiles', 'processes', 'mounts', 'cgroups', 'loops', 'runFiles'] as const;

/** One kind of work, again and again, one after the other; counts what was done and what failed. */
async function keepDoing(
  isOver: () => boolean,
  counts: number[],
  work: (n: number) => Promise<unknown>,
) {
  for (let n = 0; !isOver(); n++) {
    try {
      await work(n);
      counts[0]!++;
    } catch {
      counts[1]!++;
      await systemClock.sleep(100);
    }
  }
}

function jobs(client: LambdaClient, smallImage: string) {
  const invoke = (mode: string, more: object = {}) =>
    client.send(
      new InvokeCommand({ FunctionName: 'soak', Payload: JSON.stringify({ mode }), ...more }),
    );
  const archive = writeZip([{ name: 'lib/x.txt', content: Buffer.from('x'.repeat(10_000)) }]);
  return {
    echo: async () => void (await invoke('echo')),
    fail: async (n: number) => {
      await invoke(['throw', 'exit', 'print'][n % 3] ?? 'throw');
      await systemClock.sleep(200);
    },
    event: async () => {
      await invoke('echo', { InvocationType: 'Event' });
      await systemClock.sleep(20);
    },
    create: async (n: number) => {
      const FunctionName = `small-${n % 10}`;
      const Role = 'arn:aws:iam::000000000000:role/any';
      const Code = { ImageUri: smallImage };
      await client.send(
        new CreateFunctionCommand({ FunctionName, PackageType: 'Image', Code, Role }),
      );
      await systemClock.sleep(1000);
      await client.send(new DeleteFunctionCommand({ FunctionName }));
    },
    layer: async () => {
      const Content = { ZipFile: archive };
      const { Version } = await client.send(
        new PublishLayerVersionCommand({ LayerName: 'l', Content }),
      );
      await client.send(new DeleteLayerVersionCommand({ LayerName: 'l', VersionNumber: Version }));
      await systemClock.sleep(1000);
    },
    /** A changed configuration is a version of its own: its next invoke starts cold. */
    cold: async (n: number) => {
      const Environment = { Variables: { TURN: String(n) } };
      await client.send(
        new UpdateFunctionConfigurationCommand({ FunctionName: 'soak', Environment }),
      );
      await systemClock.sleep(3000);
    },
  };
}

/**
 * Mixed load for so many minutes, in spells: is any counter of /proc, the disk and the databases higher at
 * each rest than at the one before.
 */
export async function soakMixed(minutes: number): Promise<unknown> {
  const scratch = scratchDirectory('bench-soak');
  try {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const layout = join(scratch.path, 'small');
    await writeImageLayout(layout, {
      config: { cmd: ['run'] },
      layers: [
        { compression: 'none', write: (tar) => tar.add({ path: 'file' }, Buffer.from('small')) },
      ],
    });
    const region = await startRegion(undefined, join(scratch.path, 'data'));
    try {
      await createActiveFunction(region.client(), 'soak', imageSource(image));
      return await underLoad(region, `oci:${layout}`, minutes);
    } finally {
      await region.stop();
    }
  } finally {
    scratch.remove();
  }
}

/** One spell: every job in a row of its own, until the time is over and each has ended. */
async function spell(region: RunningRegion, smallImage: string, ms: number) {
  const done: Record<string, number[]> = {};
  let isOver = false;
  const work = Object.entries(jobs(region.client(), smallImage)).map(([name, job]) => {
    const counts = [0, 0];
    done[name] = counts;
    return keepDoing(() => isOver, counts, job);
  });
  const samples: Sample[] = [];
  for (let n = 0; n < SAMPLES_PER_SPELL; n++) {
    await systemClock.sleep(ms / SAMPLES_PER_SPELL);
    samples.push(countersOf(region));
  }
  isOver = true;
  await Promise.all(work);
  return { done, samples };
}

/** Until events that wait have run: those that were refused come again after seconds. */
async function runEvents(region: RunningRegion): Promise<void> {
  const runs = () => readMetric(region, 'sluice_async_runs_total');
  const endMs = systemClock.monotonicMs() + REST_MS;
  for (let last = -1; systemClock.monotonicMs() < endMs; ) {
    const now = await runs();
    if (now === last) return;
    last = now;
    await systemClock.sleep(REST_POLL_MS * REST_SAMPLES);
  }
}

/** However many sandboxes the load has left warm: those of a version that is none any more end, and one starts. */
async function leaveOneSandbox(region: RunningRegion, turn: number): Promise<void> {
  const client = region.client();
  const Environment = { Variables: { TURN: `rest ${turn}` } };
  for (const endMs = systemClock.monotonicMs() + REST_MS; ; ) {
    try {
      await client.send(
        new UpdateFunctionConfigurationCommand({ FunctionName: 'soak', Environment }),
      );
      await client.send(
        new InvokeCommand({ FunctionName: 'soak', Payload: JSON.stringify({ mode: 'echo' }) }),
      );
      return;
    } catch (error) {
      if (systemClock.monotonicMs() > endMs) throw error;
      await systemClock.sleep(REST_POLL_MS);
    }
  }
}

/** The first sample that counts what those before it counted, or the last that there was patience for. */
async function atRest(region: RunningRegion): Promise<Sample> {
  const endMs = systemClock.monotonicMs() + REST_MS;
  let sample = countersOf(region);
  for (let same = 1; same < REST_SAMPLES && systemClock.monotonicMs() < endMs; ) {
    await systemClock.sleep(REST_POLL_MS);
    const next = countersOf(region);
    same = resting.every((name) => next[name] === sample[name]) ? same + 1 : 1;
    sample = next;
  }
  return sample;
}

async function underLoad(region: RunningRegion, smallImage: string, minutes: number) {
  const spells: Awaited<ReturnType<typeof spell>>[] = [];
  const rests: Sample[] = [];
  for (let n = 0; n < SPELLS; n++) {
    spells.push(await spell(region, smallImage, (minutes * 60_000) / SPELLS));
    await runEvents(region);
    await leaveOneSandbox(region, n);
    rests.push(await atRest(region));
  }
  const samples = spells.flatMap((each) => each.samples);
  const figures = compare(rests.slice(1), samples);
  const rows = figures.map(({ name, values, most, grows }) => [
    ...[name, ...values.map((value) => value.toFixed(1)), most.toFixed(1)],
    grows ? 'GROWS' : 'flat',
  ]);
  const header = ['at rest after spell', ...rests.slice(1).map((_, n) => `${n + 2}`), 'most', ''];
  const done = spells.map((each) => each.done);
  process.stdout.write(
    `${formatTable(header, rows)}\n\ndone and refused: ${JSON.stringify(done)}\n`,
  );
  return { minutes, done, figures, rests, samples };
}

/** Growth is what goes on: more than the slack in all, and no fall from one rest to the next. */
function compare(rests: readonly Sample[], samples: readonly Sample[]) {
  return Object.keys(slack).map((name) => {
    const values = rests.map((sample) => sample[name] ?? 0);
    const [first = 0, last = 0] = [values[0], values.at(-1)];
    const neverFalls = values.every((value, n) => value >= (values[n - 1] ?? value));
    const grows = neverFalls && last - first > (slack[name] ?? 0);
    return { name, values, most: Math.max(...samples.map((each) => each[name] ?? 0)), grows };
  });
}
