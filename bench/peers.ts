import { loadavg } from 'node:os';
import { formatTable } from '../src/cli/mod.ts';
import * as device from './device.ts';
import * as flatten from './flatten.ts';
import * as platform from './platform.ts';
import * as sandbox from './sandbox.ts';
import { lacking } from './support/lacking.ts';

export const title = 'every comparison with others in one go: starts, image add, warm invokes';
export const takes = {};

/** Above this, milliseconds say more of what else runs than of what is compared. */
const QUIET_LOAD = 0.5;

/** Figures by their path in a benchmark's result, `a/b`. */
type Figures = unknown;

interface Pair {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** What the other is. */
  readonly peer: string;
  readonly unit: string;
  /** What ours divided by theirs is to be at most. */
  readonly goal?: number;
}

interface Part {
  readonly name: string;
  readonly needs: readonly string[];
  readonly run: () => Promise<Figures>;
  readonly pairs: readonly Pair[];
}

const ms = { unit: 'ms' };
const fromAfar = '5 ms, others';

const parts: readonly Part[] = [
  {
    name: 'device start origin --quick',
    needs: ['mmdebstrap', 'umoci'],
    run: () => device.run(['start', 'origin', '--quick']),
    pairs: [
      {
        ...{ what: 'import numpy, nothing cached', peer: 'a loop mount of the disk', ...ms },
        ...{ ours: 'start/deviceMs', theirs: 'start/loopMountOfFileMs', goal: 1.3 },
      },
      {
        ...{ what: 'the same, with an access log', peer: 'a loop mount of the disk', ...ms },
        ...{ ours: 'start/replayMs', theirs: 'start/loopMountOfFileMs', goal: 1.1 },
      },
      {
        ...{ what: 'import numpy, nothing cached', peer: 'umoci unpack and run', ...ms },
        ...{ ours: 'start/deviceMs', theirs: 'start/unpackMs', goal: 0.1 },
      },
      {
        ...{ what: 'the first start ever, origin at 5 ms', peer: 'curl | tar.zst', ...ms },
        ours: 'origin/5 ms/withoutLog/ms',
        theirs: `origin/${fromAfar}/curl | tar --zstd/ms`,
        goal: 1,
      },
      {
        ...{ what: 'the first start ever, origin at 5 ms', peer: 'nbdkit + squashfs', ...ms },
        ours: 'origin/5 ms/withoutLog/ms',
        theirs: `origin/${fromAfar}/nbdkit 512 KiB + squashfs/ms`,
        goal: 1,
      },
      {
        ...{ what: 'a later one, by its start pack', peer: 'curl | tar.zst', ...ms },
        ours: 'origin/5 ms/withPack/ms',
        theirs: `origin/${fromAfar}/curl | tar --zstd/ms`,
      },
    ],
  },
  {
    name: 'flatten debian',
    needs: ['mmdebstrap', 'umoci', 'mkfs.ext4'],
    run: () => flatten.run(['debian']),
    pairs: [
      {
        ...{ what: 'image add, one layer', peer: 'umoci unpack + mkfs.ext4 -d', unit: 's' },
        ...{ ours: 'imageAdd/seconds', theirs: 'umociMkfs/seconds', goal: 0.5 },
      },
      {
        ...{ what: 'the same, processor time', peer: 'umoci unpack + mkfs.ext4 -d', unit: 's' },
        ...{ ours: 'imageAdd/cpuSeconds', theirs: 'umociMkfs/cpuSeconds', goal: 0.5 },
      },
    ],
  },
  {
    name: 'sandbox 20',
    needs: ['bwrap', 'unshare'],
    run: () => sandbox.run(['20']),
    pairs: [
      {
        ...{ what: 'a lean sandbox until its output', peer: 'bwrap --unshare-all', ...ms },
        ...{ ours: 'p50Ms/lean sandbox', theirs: 'p50Ms/bwrap --unshare-all' },
      },
    ],
  },
  {
    name: 'platform --only overhead',
    needs: [],
    run: () => platform.run(['--only', 'overhead']),
    pairs: [
      {
        ...{ what: 'a warm invoke, processor time', peer: 'a Runtime API alone', unit: 'µs' },
        ours: 'warm/overheadOne/cpuUsPerInvoke',
        theirs: 'trivial/cpuUsPerInvoke',
        goal: 1 / 0.6,
      },
    ],
  },
];

function figureOf(figures: Figures, path: string): number | undefined {
  let at = figures;
  for (const step of path.split('/')) {
    at = typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined;
  }
  return typeof at === 'number' ? at : undefined;
}

function rowOf({ what, peer, unit, ours, theirs, goal }: Pair, figures: Figures): string[] {
  const [mine, other] = [figureOf(figures, ours), figureOf(figures, theirs)];
  const shown = (value: number | undefined) =>
    value === undefined ? 'skipped' : `${value.toPrecision(3)} ${unit}`;
  const ratio = mine === undefined || other === undefined ? '' : (mine / other).toFixed(2);
  return [what, shown(mine), peer, shown(other), ratio, goal?.toFixed(2) ?? ''];
}

/** Each comparison as its own benchmark makes it, in its quick form; all in about ten minutes. */
export async function run(): Promise<unknown> {
  const [load = 0] = loadavg();
  if (load > QUIET_LOAD) {
    process.stdout.write(`not quiet: load ${load.toFixed(1)}; trust ratios at most\n`);
  }
  const rows: string[][] = [];
  const results: Record<string, Figures> = {};
  for (const { name, needs, run: measure, pairs } of parts) {
    const lack = await lacking(needs);
    if (lack.length > 0) {
      process.stdout.write(`skipped, needs ${lack.join(', ')}: ${name}\n`);
      results[name] = { skipped: lack };
      continue;
    }
    process.stdout.write(`${name} …\n`);
    const figures = await measure();
    results[name] = figures;
    rows.push(...pairs.map((pair) => rowOf(pair, figures)));
  }
  const header = ['what', 'Sluice', 'beside', 'it', 'ratio', 'goal'];
  process.stdout.write(`\n${formatTable(header, rows)}\n`);
  return { load, ...results };
}
