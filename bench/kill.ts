import { join } from 'node:path';
import {
  InvokeCommand,
  PublishVersionCommand,
  PutFunctionEventInvokeConfigCommand,
} from '@aws-sdk/client-lambda';
import { systemClock, systemErrorCode, systemRandom } from '../src/base/mod.ts';
import { formatTable } from '../src/cli/mod.ts';
import { writeImageLayout } from '../src/oci/mod.ts';
import { createImageFunction } from '../test/support/image-function.ts';
import { RegionTraces } from '../test/support/leftovers.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { until } from '../test/support/until.ts';
import {
  Acknowledged,
  eventsTold,
  lostRecords,
  type Target,
  writeRound,
} from './support/acknowledged.ts';
import { type ProcessSample, processTree } from './support/processes.ts';

export const title = 'kill -9 of every kind of process at random moments: is anything lost or left';
export const takes = { options: { rounds: { type: 'string' } } } as const;

const ROUNDS = 100;
/** A kill comes at a random moment of this time of writing. */
const WRITING_MS = 1500;
/** How long a process of the kind is looked for before another kind is killed instead. */
const LOOK_MS = 1000;

/** How a region's processes show in /proc. */
const victims: Readonly<Record<string, (process: ProcessSample) => boolean>> = {
  region: ({ command }) => command.includes('cli/main.ts up'),
  agent: ({ command }) => command.includes('agent-main.ts'),
  flattener: ({ command }) => command.includes('flattener-main.ts'),
  warden: ({ command }) => command.includes('warden-main.ts'),
  keys: ({ command }) => command.includes('key-main.ts'),
  // Whoever starts sandboxes has the same name as what watches one.
  launcher: ({ command }) => command === 'init',
  sandbox: ({ command }) => command.includes('bootstrap'),
};

interface Totals {
  readonly kills: Record<string, number>;
  readonly lost: string[];
  readonly left: string[];
  unserved: number;
}

interface Drill {
  readonly data: string;
  readonly target: Target;
  readonly acknowledged: Acknowledged;
  readonly totals: Totals;
}

/** False if it ended by itself just before. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (systemErrorCode(error) === 'ESRCH') return false;
    throw error;
  }
}

/** Undefined when none of the kind was seen for a while: flatteners live for one create. */
async function findVictim(root: number, kind: string): Promise<number | undefined> {
  const isVictim = victims[kind] ?? (() => false);
  const endMs = systemClock.monotonicMs() + LOOK_MS;
  for (;;) {
    const found = processTree(root).filter(isVictim);
    if (found.length > 0) return found[Math.floor(systemRandom.float() * found.length)]?.pid;
    if (systemClock.monotonicMs() > endMs) return undefined;
    await systemClock.sleep(20);
  }
}

/** One echo, answered with what it was given, however often it takes. */
async function serves(region: RunningRegion, functionName: string): Promise<void> {
  await until('an answer of the function', async () => {
    try {
      const command = new InvokeCommand({ FunctionName: functionName, Payload: '{"mode":"echo"}' });
      return (await region.client().send(command)).FunctionError === undefined;
    } catch {
      return false;
    }
  });
}

async function runRound(
  drill: Drill,
  region: RunningRegion,
  round: number,
): Promise<RunningRegion> {
  const { data, target, acknowledged, totals } = drill;
  const traces = new RegionTraces(data);
  let isOver = false;
  const client = region.client();
  const writing = writeRound(client, target, round, acknowledged, () => isOver);
  await systemClock.sleep(systemRandom.float() * WRITING_MS);
  const names = Object.keys(victims);
  const kind = names[round % names.length] ?? 'region';
  const root = region.process.pid ?? 0;
  traces.note(root);
  const victim = await findVictim(root, kind);
  if (victim !== undefined && (victim === root || killed(victim))) {
    totals.kills[kind] = (totals.kills[kind] ?? 0) + 1;
  }
  let present = region;
  if (victim === root) {
    await region.kill();
    isOver = true;
    await writing;
    await traces
      .gone((trace) => trace.startsWith('/sys/fs/cgroup'))
      .catch((error: Error) => {
        totals.left.push(error.message);
      });
    present = await startRegion(undefined, data);
  } else {
    await writing;
  }
  await serves(present, target.functionName).catch(() => void totals.unserved++);
  totals.lost.push(...(await lostRecords(present.client(), target.functionName, acknowledged)));
  return present;
}

async function prepare(region: RunningRegion, directory: string): Promise<Target> {
  const functionName = 'f';
  const layout = join(directory, 'small');
  await writeImageLayout(layout, {
    layers: [
      { compression: 'none', write: (tar) => tar.add({ path: 'file' }, Buffer.from('small')) },
    ],
  });
  const client = region.client();
  const image = await buildTestImage(join(directory, 'image'));
  await createImageFunction(client, functionName, image, { Timeout: 20 });
  await client.send(new PublishVersionCommand({ FunctionName: functionName }));
  const Destination = 'directory:done';
  await client.send(
    new PutFunctionEventInvokeConfigCommand({
      ...{ FunctionName: functionName, MaximumRetryAttempts: 0 },
      DestinationConfig: { OnSuccess: { Destination }, OnFailure: { Destination } },
    }),
  );
  return { functionName, imageUri: `oci:${layout}` };
}

/** `--rounds N`: a kill each, the kinds in turn. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const rounds = Number(flags[flags.indexOf('--rounds') + 1] ?? ROUNDS) || ROUNDS;
  const scratch = scratchDirectory('bench-kill');
  const data = join(scratch.path, 'data');
  let region = await startRegion(undefined, data);
  const before = new RegionTraces(data);
  try {
    const target = await prepare(region, scratch.path);
    const totals: Totals = { kills: {}, lost: [], left: [], unserved: 0 };
    const acknowledged = new Acknowledged();
    const drill = { data, target, acknowledged, totals };
    const startMs = systemClock.monotonicMs();
    for (let round = 0; round < rounds; round++) {
      region = await runRound(drill, region, round);
      if (round % 10 === 9) process.stderr.write(`round ${round + 1}: ${JSON.stringify(totals)}\n`);
    }
    const untold = () => acknowledged.lost('events', eventsTold(data));
    await until('an end of every event', () => untold().length === 0).catch(() => {});
    totals.lost.push(...untold());
    before.note(region.process.pid ?? 0);
    const status = await region.stop();
    await before.gone().catch((error: Error) => void totals.left.push(error.message));
    const seconds = (systemClock.monotonicMs() - startMs) / 1000;
    const { refused } = acknowledged;
    const result = {
      rounds,
      seconds,
      status,
      refused,
      acknowledged: acknowledged.counts(),
      ...totals,
    };
    print(result);
    return result;
  } finally {
    await region.stop();
    scratch.remove();
  }
}

function print(result: Readonly<Record<string, unknown>>): void {
  const rows = Object.entries(result).map(([name, value]) => [name, JSON.stringify(value)]);
  process.stdout.write(`${formatTable(['figure', 'value'], rows)}\n`);
}
