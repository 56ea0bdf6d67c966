import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
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
import { MIB, systemClock } from '../src/base/mod.ts';
import { formatTable } from '../src/cli/mod.ts';
import { writeImageLayout } from '../src/oci/mod.ts';
import { writeZip } from '../src/zip/mod.ts';
import { cgroups, loopDevices } from '../test/support/leftovers.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { createActiveFunction, imageSource } from './support/active-function.ts';
import { processTree } from './support/processes.ts';
import { medianOf } from './support/statistics.ts';

const SAMPLES = 60;
/** The first part is a warm-up; then halves are compared. */
const WARM_PART = 0.25;
const FLAT_PART = 0.1;

/** What may differ between the halves without being growth, above a tenth. */
const slack: Readonly<Record<string, number>> = {
  residentMib: 64,
  openFiles: 16,
  threads: 4,
  processes: 8,
  processFiles: 64,
  mounts: 4,
  cgroups: 4,
  loops: 4,
  databaseKib: 8192,
  files: 200,
  logMib: 64,
};

type Sample = Readonly<Record<string, number>>;

/** The files below a folder and their bytes; the origin grows with what is stored, and is left out. */
function filesIn(folder: string): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 };
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) {
    const path = join(folder, name);
    // What belongs to a start comes and goes meanwhile.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) {
      const { files, bytes } = filesIn(path);
      sum.files += files;
      sum.bytes += bytes;
    } else if (found?.isFile()) {
      sum.files++;
      sum.bytes += found.size;
    }
  }
  return sum;
}

function lines(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

function take(region: RunningRegion): Sample {
  const pid = region.process.pid ?? 0;
  const tree = processTree(pid);
  const [own] = tree;
  const data = region.dataDirectory;
  const state = filesIn(join(data, 'state'));
  const rest = ['run', 'spool', 'keys', 'destinations', 'cache'].map((name) =>
    filesIn(join(data, name)),
  );
  const threads = /^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    residentMib: (own?.residentBytes ?? 0) / MIB,
    openFiles: own?.openFiles ?? 0,
    threads: Number(threads),
    processes: tree.length,
    processFiles: tree.slice(1).reduce((sum, { openFiles }) => sum + openFiles, 0),
    mounts: lines(`/proc/${pid}/mounts`),
    cgroups: cgroups().length,
    loops: loopDevices().length,
    databaseKib: state.bytes / 1024,
    files: state.files + rest.reduce((sum, { files }) => sum + files, 0),
    logMib: filesIn(join(data, 'logs')).bytes / MIB,
  };
}

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

/** Mixed load for so many minutes: does any counter of /proc, the disk and the databases grow. */
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

async function underLoad(region: RunningRegion, smallImage: string, minutes: number) {
  const everyMs = (minutes * 60_000) / SAMPLES;
  const done: Record<string, number[]> = {};
  let isOver = false;
  const work = Object.entries(jobs(region.client(), smallImage)).map(([name, job]) => {
    const counts = [0, 0];
    done[name] = counts;
    return keepDoing(() => isOver, counts, job);
  });
  const samples: Sample[] = [];
  for (let n = 0; n < SAMPLES; n++) {
    await systemClock.sleep(everyMs);
    samples.push(take(region));
  }
  isOver = true;
  await Promise.all(work);
  const figures = compare(samples.slice(Math.floor(SAMPLES * WARM_PART)));
  const rows = figures.map(({ name, first, second, most, flat }) => [
    ...[name, first.toFixed(1), second.toFixed(1), most.toFixed(1)],
    flat ? 'flat' : 'GROWS',
  ]);
  const header = ['counter', 'first half', 'second half', 'most', ''];
  process.stdout.write(
    `${formatTable(header, rows)}\n\ndone and refused: ${JSON.stringify(done)}\n`,
  );
  return { minutes, done, figures, samples };
}

function compare(samples: readonly Sample[]) {
  const half = Math.floor(samples.length / 2);
  return Object.keys(slack).map((name) => {
    const values = samples.map((sample) => sample[name] ?? 0);
    const first = medianOf(values.slice(0, half));
    const second = medianOf(values.slice(half));
    const flat = second - first <= Math.max(slack[name] ?? 0, FLAT_PART * first);
    return { name, first, second, most: Math.max(...values), flat };
  });
}
