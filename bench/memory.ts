import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { GIB, MIB, systemClock } from '../src/base/mod.ts';
import { formatTable } from '../src/cli/mod.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { clientOf } from './platform-invokes.ts';
import { createActiveFunction, imageSource } from './support/active-function.ts';
import { type ProcessSample, processTree } from './support/processes.ts';

export const title =
  'what idle sandboxes hold: resident and proportional memory by kind of process';
export const takes = { options: { sandboxes: { type: 'string' } } } as const;

const SANDBOXES = 100;
/** Of one function started together; each keeps its sandbox until the last has one. */
const WAVE = 25;
const WAVE_MS = 13_000;
/** Idle sandboxes are frozen by then, and agents have made their packs. */
const SETTLE_MS = 10_000;

interface Held {
  processes: number;
  residentBytes: number;
  proportionalBytes: number;
}

const kinds: readonly (readonly [string, (command: string) => boolean])[] = [
  ['region', (command) => command.includes('cli/main.ts up')],
  ['agents', (command) => command.includes('agent-main.ts')],
  ['warden', (command) => command.includes('warden-main.ts')],
  ['keys', (command) => command.includes('key-main.ts')],
  ['functions', (command) => command.includes('bootstrap')],
];

const kindOf = ({ command }: ProcessSample) =>
  kinds.find(([, is]) => is(command))?.[0] ?? 'sandboxes’ init and launchers';

/** What a process's pages come to when each is divided among those who share it. */
function proportionalBytes(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function heldBy(root: number): Record<string, Held> {
  const held: Record<string, Held> = {};
  for (const sample of processTree(root)) {
    const of = held[kindOf(sample)] ?? { processes: 0, residentBytes: 0, proportionalBytes: 0 };
    of.processes++;
    of.residentBytes += sample.residentBytes;
    of.proportionalBytes += proportionalBytes(sample.pid);
    held[kindOf(sample)] = of;
  }
  return held;
}

async function fill(region: RunningRegion, sandboxes: number): Promise<void> {
  const client = clientOf(region, sandboxes);
  const waves = Math.ceil(sandboxes / WAVE);
  const invokes: Promise<unknown>[] = [];
  for (let wave = 0; wave < waves; wave++) {
    const ms = (waves - wave) * WAVE_MS;
    const command = () =>
      new InvokeCommand({ FunctionName: 'f', Payload: JSON.stringify({ mode: 'sleep', ms }) });
    const count = Math.min(WAVE, sandboxes - wave * WAVE);
    invokes.push(...Array.from({ length: count }, () => client.send(command())));
    await systemClock.sleep(WAVE_MS);
  }
  await Promise.all(invokes);
  client.destroy();
}

/** `--sandboxes N`: of a Node image, all of one account, idle and frozen. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const { values } = parseArgs({
    args: [...flags],
    options: { sandboxes: { type: 'string', default: String(SANDBOXES) } },
  });
  const scratch = scratchDirectory('bench-memory');
  const data = join(scratch.path, 'data');
  mkdirSync(data, { mode: 0o700 });
  // Their /tmp stay empty, so what is promised need not be there.
  const settings = { disk: { scratchBytes: 1024 * GIB } };
  writeFileSync(join(data, 'config.json'), JSON.stringify(settings));
  try {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const region = await startRegion(undefined, data);
    try {
      const client = clientOf(region, 1);
      await createActiveFunction(client, 'f', imageSource(image));
      client.destroy();
      const pid = region.process.pid ?? 0;
      const before = heldBy(pid);
      await fill(region, Number(values.sandboxes));
      await systemClock.sleep(SETTLE_MS);
      const sandboxes = await readMetric(region, 'sluice_sandboxes');
      const held = heldBy(pid);
      const mib = (bytes = 0) => (bytes / MIB).toFixed(1);
      const rows = Object.entries(held).map(([kind, now]) => [
        ...[kind, String(now.processes), mib(now.residentBytes), mib(now.proportionalBytes)],
        mib(before[kind]?.proportionalBytes),
      ]);
      const header = ['', 'processes', 'RSS MiB', 'PSS MiB', 'PSS before the first'];
      process.stdout.write(`${sandboxes} sandboxes idle\n${formatTable(header, rows)}\n`);
      return { sandboxes, before, held };
    } finally {
      await region.stop();
    }
  } finally {
    scratch.remove();
  }
}
