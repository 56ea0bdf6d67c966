import type { Counter, Gauge, Histogram, Labels, Meter } from '../base/mod.ts';

/** Label values of one series, in the order of the metric's label names. */
interface Series {
  readonly labels: readonly string[];
  /** Of a counter or gauge. */
  value: number;
  /** Of a histogram: how many observations fell into each bucket, the last one endless. */
  readonly counts: number[];
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labelNames: readonly string[];
  readonly bucketsUpTo: readonly number[];
  readonly series: Map<string, Series>;
}

/**
 * Collects what the folders report through `Meter` and prints it in Prometheus's text format. An
 * invoke reports five numbers, so counting is an addition and no more; the work is done when
 * somebody reads.
 */
export class PrometheusMeter implements Meter {
  readonly #metrics = new Map<string, Metric>();
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const metric = this.#metric({ name, help, type: 'counter', labelNames, bucketsUpTo: [] });
    return {
      add: (value = 1, labels) => {
        seriesOf(metric, labels).value += value;
      },
    };
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    const metric = this.#metric({ name, help, type: 'gauge', labelNames, bucketsUpTo: [] });
    return {
      set: (value, labels) => {
        seriesOf(metric, labels).value = value;
      },
    };
  }

  histogram(
    name: string,
    help: string,
    bucketsUpTo: readonly number[],
    labelNames: readonly string[] = [],
  ): Histogram {
    const metric = this.#metric({ name, help, type: 'histogram', labelNames, bucketsUpTo });
    return {
      observe: (value, labels) => {
        const series = seriesOf(metric, labels);
        let bucket = 0;
        while (bucket < bucketsUpTo.length && value > bucketsUpTo[bucket]!) bucket++;
        series.counts[bucket]! += 1;
        series.value += value;
      },
    };
  }

  /** The text of `GET /metrics` (Prometheus's exposition formats, “Text format details”). */
  async text(): Promise<string> {
    return [...this.#metrics.values()].map(textOf).join('\n');
  }

  /** A name means one metric, whoever reports to it. */
  #metric(wanted: Omit<Metric, 'series'>): Metric {
    const known = this.#metrics.get(wanted.name);
    if (known) return known;
    const metric = { ...wanted, series: new Map<string, Series>() };
    this.#metrics.set(wanted.name, metric);
    // One without labels is there from the beginning.
    if (wanted.labelNames.length === 0) seriesOf(metric, undefined);
    return metric;
  }
}

function seriesOf({ labelNames, bucketsUpTo, series }: Metric, labels: Labels | undefined): Series {
  let key = '';
  if (labels) for (const name of labelNames) key += `${labels[name] ?? ''}\0`;
  const known = series.get(key);
  if (known) return known;
  const made = {
    labels: labels ? labelNames.map((name) => labels[name] ?? '') : [],
    value: 0,
    counts: new Array<number>(bucketsUpTo.length + 1).fill(0),
  };
  series.set(key, made);
  return made;
}

function textOf(metric: Metric): string {
  const { name, help, type } = metric;
  let text = `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`;
  for (const series of metric.series.values()) {
    if (type === 'histogram') text += histogramText(metric, series);
    else text += `${name}${labelText(metric, series)} ${number(series.value)}\n`;
  }
  return text;
}

function histogramText(metric: Metric, series: Series): string {
  const { name, bucketsUpTo } = metric;
  let text = '';
  let sum = 0;
  series.counts.forEach((count, bucket) => {
    sum += count;
    const upTo = number(bucketsUpTo[bucket] ?? Number.POSITIVE_INFINITY);
    text += `${name}_bucket${labelText(metric, series, upTo)} ${sum}\n`;
  });
  const labels = labelText(metric, series);
  return `${text}${name}_sum${labels} ${number(series.value)}\n${name}_count${labels} ${sum}\n`;
}

/** `{name="value",…}`, or nothing; a label without a value is none. */
function labelText({ labelNames }: Metric, { labels }: Series, upTo?: string): string {
  const pairs = upTo === undefined ? [] : [`le="${upTo}"`];
  labels.forEach((value, index) => {
    if (value !== '') pairs.push(`${labelNames[index]}="${escaped(value).replaceAll('"', '\\"')}"`);
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
