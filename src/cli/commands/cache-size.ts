import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { CHUNK_SIZE_BYTES, formatBytes, formatShare, SluiceError } from '../../base/mod.ts';
import {
  type CacheSize,
  CacheSizing,
  missShareAt,
  olderTrace,
  readLoadTrace,
} from '../../cache/mod.ts';
import { dataDirectory } from '../../config/mod.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';

interface CacheSizeOptions extends CommonOptions {
  readonly hitShare: number;
  readonly gibMonth: number;
  readonly get: number;
  readonly code: { k: number; m: number };
  readonly sample: number;
}

const CURVE_ROWS = 16;
const BAR_CHARS = 40;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is wanted');
  return value;
}

function share(text: string): number {
  const value = positive(text);
  if (value > 1) throw new InvalidArgumentError('a share of at most 1 is wanted');
  return value;
}

function stripeCode(text: string): { k: number; m: number } {
  const match = /^(\d{1,2})\+(\d)$/.exec(text);
  const [k, m] = [Number(match?.[1]), Number(match?.[2])];
  if (!(k >= 1 && m >= 1)) throw new InvalidArgumentError('a code is wanted, such as 4+1');
  return { k, m };
}

export function registerCacheSize(program: Command): void {
  const cache = program.command('cache').description("plans the zone's shared cache");
  const command = cache
    .command('size [trace]')
    .description('how large L2 has to be for a trace of chunk loads; by default the region’s own')
    .option('--hit-share <share>', 'share of loads that are to be hits', share, 0.999)
    .option('--gib-month <price>', 'price of a GiB in the cache for a month', positive, 0.08)
    .option('--get <price>', 'price of one get from the origin', positive, 0.000_000_4)
    .option('--code <k+m>', 'erasure code', stripeCode, { k: 4, m: 1 })
    .option('--sample <share>', 'follow only this share of the chunks (SHARDS)', share, 1);
  withDataOptions(command).action(run);
}

/** The trace that a region keeps of its own loads, in order of time. */
function tracesOf(data: string): string[] {
  const path = dataDirectory(data).loadTrace;
  const traces = [olderTrace(path), path].filter((each) => existsSync(each));
  if (traces.length > 0) return traces;
  throw new SluiceError('USAGE', `${path}: no region has loaded a chunk here; name a trace`);
}

async function run(trace: string | undefined, options: CacheSizeOptions): Promise<void> {
  const { k, m } = options.code;
  const sizing = new CacheSizing({
    chunkBytes: CHUNK_SIZE_BYTES,
    hitShareGoal: options.hitShare,
    prices: { gibibyteMonth: options.gibMonth, originGet: options.get },
    codeOverhead: (k + m) / k,
    sampleShare: options.sample,
  });
  for (const path of trace === undefined ? tracesOf(options.data) : [trace]) {
    for await (const { timeMs, chunkName } of readLoadTrace(path)) sizing.add(timeMs, chunkName);
  }
  const size = sizing.result();
  createOutput(options.json).answer(size, describe(size, options));
}

function describe(size: CacheSize, { hitShare, code }: CacheSizeOptions): string {
  const forHits =
    size.sizeForHitShareBytes === undefined
      ? `no size reaches ${formatShare(hitShare)}: an endless cache hits ${formatShare(size.hitShareMost)}`
      : formatBytes(size.sizeForHitShareBytes);
  return [
    ...drawCurve(size),
    '',
    `loads       ${size.loads} in ${size.seconds.toFixed(0)} s`,
    `for cost    ${formatBytes(size.sizeForCostBytes)} (holding a chunk ${size.breakEvenSeconds.toFixed(0)} s costs a get)`,
    `for hits    ${forHits}`,
    `size        ${formatBytes(size.sizeBytes)} of chunks, hit share ${formatShare(size.hitShareAtSize)}`,
    `stored      ${formatBytes(size.storedBytes)} over all nodes at ${code.k}+${code.m}`,
  ].join('\n');
}

function drawCurve({ curve, sizeBytes }: CacheSize): string[] {
  const endBytes = Math.max(curve.at(-1)?.sizeBytes ?? 0, sizeBytes);
  return Array.from({ length: CURVE_ROWS + 1 }, (_, row) => {
    const atBytes = (row / CURVE_ROWS) * endBytes;
    const missShare = missShareAt(curve, atBytes);
    const bar = '█'.repeat(Math.round(missShare * BAR_CHARS));
    const label = `${formatBytes(atBytes).padStart(10)}  ${formatShare(missShare).padStart(7)}`;
    return `${row === 0 ? 'missed at' : '         '} ${label}  ${bar}`.trimEnd();
  });
}
