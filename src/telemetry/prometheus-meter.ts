import * as prometheus from 'prom-client';
import type { Counter, Gauge, Histogram, Meter } from '../base/mod.ts';

/** Collects what the folders report through `Meter` and prints it in Prometheus's text format. */
export class PrometheusMeter implements Meter {
  readonly #registry = new prometheus.Registry();

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const metric =
      (this.#registry.getSingleMetric(name) as prometheus.Counter | undefined) ??
      new prometheus.Counter({
        name,
        help,
        labelNames: [...labelNames],
        registers: [this.#registry],
      });
    return {
      add: (value = 1, labels) => (labels ? metric.inc({ ...labels }, value) : metric.inc(value)),
    };
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    const metric =
      (this.#registry.getSingleMetric(name) as prometheus.Gauge | undefined) ??
      new prometheus.Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [this.#registry],
      });
    return {
      set: (value, labels) => (labels ? metric.set({ ...labels }, value) : metric.set(value)),
    };
  }

  histogram(
    name: string,
    help: string,
    bucketsUpTo: readonly number[],
    labelNames: readonly string[] = [],
  ): Histogram {
    const metric =
      (this.#registry.getSingleMetric(name) as prometheus.Histogram | undefined) ??
      new prometheus.Histogram({
        name,
        help,
        buckets: [...bucketsUpTo],
        labelNames: [...labelNames],
        registers: [this.#registry],
      });
    return {
      observe: (value, labels) =>
        labels ? metric.observe({ ...labels }, value) : metric.observe(value),
    };
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of `GET /metrics`. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
