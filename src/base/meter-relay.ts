import { limits } from './limits.ts';
import { type Counter, type Histogram, type Labels, type Meter, noMeter } from './meter.ts';

interface Series {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly labels: Labels;
}

interface CounterReport extends Series {
  readonly type: 'counter';
  readonly value: number;
}

interface HistogramReport extends Series {
  readonly type: 'histogram';
  readonly bucketsUpTo: readonly number[];
  /** A bucket each, the last one endless: how many observations fell into it, and their sum. */
  readonly counts: readonly number[];
  readonly sums: readonly number[];
}

/** What a process measured since its last report: plain values, fit for a message. */
export type MeterReport = readonly (CounterReport | HistogramReport)[];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Totals extends Mutable<Omit<HistogramReport, 'counts' | 'sums'>> {
  readonly counts: number[];
  readonly sums: number[];
}

/**
 * Adds up what a process measures until it is taken to the one that shows it. Only sums travel:
 * gauges are dropped, for one of several processes' levels describes none of them.
 */
export class RelayMeter implements Meter {
  readonly #series = new Map<string, Mutable<CounterReport> | Totals>();

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return {
      add: (value = 1, labels = {}) => {
        const series = this.#of(name, labels, () => ({
          ...{ type: 'counter', name, help, labelNames, labels, value: 0 },
        }));
        if (series?.type === 'counter') series.value += value;
      },
    };
  }

  gauge(): ReturnType<Meter['gauge']> {
    return noMeter.gauge('', '');
  }

  histogram(
    name: string,
    help: string,
    bucketsUpTo: readonly number[],
    labelNames: readonly string[] = [],
  ): Histogram {
    const empty = () => new Array<number>(bucketsUpTo.length + 1).fill(0);
    return {
      observe: (value, labels = {}) => {
        const series = this.#of(name, labels, () => ({
          ...{ type: 'histogram', name, help, labelNames, labels, bucketsUpTo },
          ...{ counts: empty(), sums: empty() },
        }));
        if (series?.type !== 'histogram') return;
        const found = bucketsUpTo.findIndex((upTo) => value <= upTo);
        const bucket = found < 0 ? bucketsUpTo.length : found;
        series.counts[bucket]! += 1;
        series.sums[bucket]! += value;
      },
    };
  }

  /** What was measured since the last call; undefined if that is nothing. */
  take(): MeterReport | undefined {
    if (this.#series.size === 0) return undefined;
    const report = [...this.#series.values()];
    this.#series.clear();
    return report;
  }

  /** Undefined where there are too many series for one report: the newcomer is not counted. */
  #of<T extends Mutable<CounterReport> | Totals>(name: string, labels: Labels, make: () => T) {
    const key = `${name} ${Object.values(labels).join(' ')}`;
    const known = this.#series.get(key);
    if (known || this.#series.size >= limits.relay.series) return known;
    const made = make();
    this.#series.set(key, made);
    return made;
  }
}

/**
 * Counts a report as if it had been measured here. Buckets and sums come out right: each bucket's
 * observations are replayed at their mean, which lies in that bucket.
 */
export function playReport(report: MeterReport, meter: Meter): void {
  for (const series of report) {
    const { name, help, labels, labelNames } = series;
    if (series.type === 'counter') {
      meter.counter(name, help, labelNames).add(series.value, labels);
      continue;
    }
    const { bucketsUpTo, counts, sums } = series;
    const histogram = meter.histogram(name, help, bucketsUpTo, labelNames);
    counts.forEach((count, bucket) => {
      // Rounding may lift the mean of equal values above them, and so out of their bucket.
      const mean = Math.min(sums[bucket]! / count, bucketsUpTo[bucket] ?? Number.POSITIVE_INFINITY);
      for (let i = 0; i < count; i++) histogram.observe(mean, labels);
    });
  }
}
