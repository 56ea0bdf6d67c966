import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTable } from '../src/cli/mod.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { type DrillRun, drill } from './l2-drill.ts';
import { type ErasureFigures, measureErasure } from './l2-erasure.ts';
import {
  type LatencyFigures,
  type LatencyRun,
  type LoadOptions,
  measureLatency,
  quantiles,
} from './l2-latency.ts';
import { cdf, type Plot, plotAsSvg, plotAsText } from './l2-plot.ts';
import { measurePolicies, type TierShares } from './l2-policy.ts';
import { measurePriming, type PrimingFigures } from './l2-priming.ts';

export const title =
  'L2: get latency healthy and with a stopped node, 4-of-5 against 4-of-4, codec, LRU-2 against LRU, empty cache';
export const takes = {
  options: { rate: { type: 'string' }, seconds: { type: 'string' } },
} as const;

const DEFAULT_RATE = 60;
const DEFAULT_SECONDS = 15;

function flag(flags: readonly string[], name: string, fallback: number): number {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(flags[at + 1]);
}

function print(heading: string, header: readonly string[], rows: readonly (readonly string[])[]) {
  process.stdout.write(`\n${heading}\n${formatTable(header, rows)}\n`);
}

function latencyRow(name: string, samples: readonly number[], paper: string): string[] {
  const { p50, p90, p95, p99, p999 } = quantiles(samples);
  const ms = [p50, p90, p95, p99, p999].map((value) => value.toFixed(2));
  return [name, String(samples.length), ...ms, (p999 / p50).toFixed(1), paper];
}

function draw(name: string, plot: Plot): void {
  const results = join(import.meta.dirname, 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}.svg`), plotAsSvg(plot));
  process.stdout.write(`\n${plotAsText(plot)}\n`);
}

const summary = ({ getMs, fourOfFiveMs, fourOfFourMs, originGets }: LatencyRun) => ({
  getMs: quantiles(getMs),
  fourOfFiveMs: quantiles(fourOfFiveMs),
  fourOfFourMs: quantiles(fourOfFourMs),
  reads: getMs.length,
  originGets,
});

async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = scratchDirectory('l2-bench');
  try {
    return await work(directory.path);
  } finally {
    directory.remove();
  }
}

function printPriming(figures: readonly PrimingFigures[]): void {
  print(
    'the first hundred starts of a new image on ten workers',
    ['L2', 'reads of L2', 'origin gets', 'hits'],
    figures.map(({ primed, l2Reads, originGets, hitShare }) => [
      primed ? 'primed' : 'not primed',
      String(l2Reads),
      String(originGets),
      `${(hitShare * 100).toFixed(1)} %`,
    ]),
  );
}

function printLatency(load: LoadOptions, figures: LatencyFigures): number {
  const { healthy, oneStopped, originMs, server, nodeCpuUsPerGet, storageOverhead } = figures;
  print(
    `ms, ${load.readsPerSecond} chunks of 512 KiB a second, 6 nodes, 4+1`,
    ['', 'n', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'p99.9/p50', 'paper'],
    [
      latencyRow('get, verified', healthy.getMs, 'p50 0.55, p99.9 3.7, ratio 6.7'),
      latencyRow('  4 of 5 stripes', healthy.fourOfFiveMs, 'p50 1.27, p95 1.58'),
      latencyRow('  4 of 4 stripes', healthy.fourOfFourMs, 'p50 1.42, p95 3.0'),
      latencyRow('get, one node stopped', oneStopped.getMs, ''),
      latencyRow('  4 of 4 stripes', oneStopped.fourOfFourMs, ''),
      latencyRow('origin (injected)', originMs, 'p50 36, p99.9 175'),
    ],
  );
  print(
    'on the node, µs (interpolated in buckets)',
    ['', 'n', 'p50', 'p99', 'p99.99'],
    (['get', 'put'] as const).map((kind) => {
      const { count, p50Us, p99Us, p9999Us } = server[kind];
      return [kind, String(count), ...[p50Us, p99Us, p9999Us].map((us) => us.toFixed(0))];
    }),
  );
  const p99Ratio = quantiles(oneStopped.getMs).p99 / quantiles(healthy.getMs).p99;
  process.stdout.write(
    `\np99 with a stopped node over healthy: ${p99Ratio.toFixed(2)} (goal 1.3); origin gets: ` +
      `${healthy.originGets} and ${oneStopped.originGets}; storage overhead ` +
      `${(storageOverhead * 100).toFixed(1)} %; CPU of a node a stripe: ${nodeCpuUsPerGet.toFixed(0)} µs\n`,
  );
  draw('l2-four-of-five', {
    title: 'Stripes of the same reads: 4 of 5 against 4 of 4',
    ...{ xLabel: 'ms', yLabel: 'share of reads', xMax: quantiles(healthy.fourOfFourMs).p99 },
    series: [cdf('4 of 5', healthy.fourOfFiveMs), cdf('4 of 4', healthy.fourOfFourMs)],
  });
  draw('l2-get', {
    title: 'Client get, healthy and with one node stopped',
    ...{ xLabel: 'ms', yLabel: 'share of reads', xMax: quantiles(healthy.getMs).p99 * 1.5 },
    series: [cdf('healthy', healthy.getMs), cdf('one stopped', oneStopped.getMs)],
  });
  return p99Ratio;
}

function printCodec(figures: readonly ErasureFigures[]): void {
  const rate = (value: number | undefined) => value?.toFixed(1) ?? '-';
  print(
    'erasure code, GB of chunk data a second',
    ['code', 'kernel', 'encode', 'fresh buffers', 'one lost', 'ISA-L', 'kernel/ISA-L'],
    figures.map((each) => [
      each.code,
      rate(each.kernelGbPerSecond),
      rate(each.encodeGbPerSecond),
      rate(each.encodeFreshGbPerSecond),
      rate(each.oneLostGbPerSecond),
      rate(each.isalEncodeGbPerSecond),
      each.kernelShare?.toFixed(2) ?? '-',
    ]),
  );
}

function printPolicies(shares: readonly TierShares[]): void {
  const percent = (value: number) => `${(value * 100).toFixed(2)} %`;
  print(
    'hit shares with a daily storm of functions that run once (paper: 67 / 32 / 0.06 %)',
    ['policy', 'L1', 'L2', 'origin', 'origin after the storm'],
    shares.map((each) => [
      each.policy,
      ...[each.l1, each.l2, each.origin, each.originAfterStorm].map(percent),
    ]),
  );
}

function printDrill(runs: readonly DrillRun[]): void {
  const nameOf = ({ startLimit }: DrillRun) => (startLimit ? `${startLimit} at once` : 'no limit');
  print(
    'the cache is emptied under load (model): time until 99 % of invokes are answered',
    ['starts', 'recovered after', 'origin queue, most', 'origin gets', 'refused (429)'],
    runs.map((each) => [
      nameOf(each),
      each.recoverySeconds === undefined ? 'not in 120 s' : `${each.recoverySeconds} s`,
      ...[each.originPeakWaiting, each.originGets, each.refused].map(String),
    ]),
  );
  draw('l2-cold-cache', {
    title: 'Invokes answered in time after the cache was emptied',
    ...{ xLabel: 's', yLabel: 'share of invokes' },
    series: runs.map((each) => ({
      name: nameOf(each),
      points: each.answered.map((y, x) => ({ x, y })),
    })),
  });
}

/** Flags: `--rate READS_PER_SECOND`, `--seconds N`. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const load = {
    readsPerSecond: flag(flags, 'rate', DEFAULT_RATE),
    seconds: flag(flags, 'seconds', DEFAULT_SECONDS),
  };
  const figures = await inScratch((directory) => measureLatency(directory, load));
  const p99Ratio = printLatency(load, figures);
  const priming = await inScratch(measurePriming);
  printPriming(priming);
  const erasure = measureErasure();
  printCodec(erasure);
  const policies = measurePolicies();
  printPolicies(policies);
  const drills = drill([undefined, 256, 64, 16]);
  printDrill(drills);
  const { healthy, oneStopped, originMs, server, nodeCpuUsPerGet, storageOverhead } = figures;
  return {
    load,
    healthy: summary(healthy),
    oneStopped: summary(oneStopped),
    p99Ratio,
    originMs: quantiles(originMs),
    ...{ server, nodeCpuUsPerGet, storageOverhead, priming, erasure, policies, drills },
  };
}
