import { join } from 'node:path';
import { formatBytes, MIB } from '../src/base/mod.ts';
import { formatTable } from '../src/cli/mod.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { soakMixed } from './soak-mixed.ts';
import { createActiveFunction, imageSource } from './support/active-function.ts';
import { LightClient } from './support/light-client.ts';
import { type ProcessSample, processTree } from './support/processes.ts';
import { medianOf } from './support/statistics.ts';

export const title =
  'warm invokes in a row, 1,000,000 unless told otherwise: does memory stay flat';
export const takes = { words: 'number', options: { minutes: { type: 'string' } } } as const;

const INVOKES = 1_000_000;
const CONNECTIONS = 8;
const SAMPLES = 100;
/** Of the second half's memory above the first half's, after a tenth to warm up. */
const FLAT_BYTES = 8 * MIB;
const FLAT_SHARE = 0.05;

const roles = ['region', 'agents', 'sandboxes'] as const;
type Role = (typeof roles)[number];

interface Sample {
  readonly invokes: number;
  readonly bytes: Readonly<Record<Role, number>>;
  readonly openFiles: number;
  readonly cpuSeconds: number;
}

function roleOf({ command }: ProcessSample, isRoot: boolean): Role {
  if (isRoot || command.includes('warden-main')) return 'region';
  return command.includes('agent-main') ? 'agents' : 'sandboxes';
}

function sample(pid: number, invokes: number): Sample {
  const bytes = { region: 0, agents: 0, sandboxes: 0 };
  const tree = processTree(pid);
  for (const [index, each] of tree.entries()) {
    bytes[roleOf(each, index === 0)] += each.residentBytes;
  }
  const { openFiles = 0, cpuSeconds = 0 } = tree[0] ?? {};
  return { invokes, bytes, openFiles, cpuSeconds };
}

/** The middle of the first and the second half of the samples, the first tenth left out. */
function growth(samples: readonly Sample[], role: Role) {
  const bytes = samples.slice(Math.ceil(samples.length / 10)).map((each) => each.bytes[role]);
  const half = Math.floor(bytes.length / 2);
  const [firstBytes, lastBytes] = [medianOf(bytes.slice(0, half)), medianOf(bytes.slice(half))];
  const flat = lastBytes - firstBytes < Math.max(FLAT_BYTES, FLAT_SHARE * firstBytes);
  return { role, firstBytes, lastBytes, mostBytes: Math.max(...bytes), flat };
}

async function soak(region: RunningRegion, invokes: number) {
  const pid = region.process.pid ?? 0;
  const clients = Array.from(
    { length: CONNECTIONS },
    () => new LightClient(region, 'soak', '{"mode":"echo"}'),
  );
  // One first, so that it is not as many sandboxes as connections that start at once.
  await clients[0]?.invoke();
  const samples: Sample[] = [sample(pid, 0)];
  const every = Math.max(1, Math.floor(invokes / SAMPLES));
  const startMs = performance.now();
  let begun = 0;
  let done = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (begun < invokes) {
        begun++;
        await client.invoke();
        if (++done % every === 0) samples.push(sample(pid, done));
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  for (const client of clients) client.close();
  return { samples, seconds };
}

/** The first argument is how many invokes; `--minutes N` for mixed load instead. */
export async function run([count, minutes]: readonly string[]): Promise<unknown> {
  if (count === '--minutes') return soakMixed(Number(minutes));
  const invokes = Number(count ?? INVOKES);
  const scratch = scratchDirectory('bench-soak');
  try {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const region = await startRegion(undefined, join(scratch.path, 'data'));
    try {
      await createActiveFunction(region.client(), 'soak', imageSource(image));
      const { samples, seconds } = await soak(region, invokes);
      const answered = await readMetric(region, 'sluice_invokes_total');
      const coldStarts = await readMetric(region, 'sluice_cold_starts_total');
      const parts = roles.map((role) => growth(samples, role));
      const cpuSeconds = (samples.at(-1)?.cpuSeconds ?? 0) - (samples[0]?.cpuSeconds ?? 0);
      const facts = {
        ...{ invokes, answered, coldStarts, seconds, perSecond: invokes / seconds },
        regionCpuUsPerInvoke: (cpuSeconds * 1e6) / invokes,
        openFilesFirst: samples[0]?.openFiles,
        openFilesLast: samples.at(-1)?.openFiles,
      };
      print(facts, parts);
      return { ...facts, parts, samples };
    } finally {
      await region.stop();
    }
  } finally {
    scratch.remove();
  }
}

function print(
  facts: Readonly<Record<string, unknown>>,
  parts: readonly ReturnType<typeof growth>[],
) {
  const rows = parts.map(({ role, firstBytes, lastBytes, mostBytes, flat }) => [
    role,
    ...[firstBytes, lastBytes, mostBytes].map(formatBytes),
    flat ? 'flat' : 'GROWS',
  ]);
  const header = ['resident memory', 'first half', 'second half', 'most', ''];
  const lines = Object.entries(facts).map(([name, value]) => [name, Number(value).toFixed(1)]);
  process.stdout.write(
    `${formatTable(['figure', 'value'], lines)}\n\n${formatTable(header, rows)}\n`,
  );
}
