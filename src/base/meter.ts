export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(value?: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/**
 * How a folder reports numbers without knowing who collects them; `telemetry` implements it for
 * Prometheus. Names follow Prometheus: `sluice_<noun>_<unit>` and `_total` for counters.
 */
export interface Meter {
  counter(name: string, help: string, labelNames?: readonly string[]): Counter;
  gauge(name: string, help: string, labelNames?: readonly string[]): Gauge;
  histogram(
    name: string,
    help: string,
    bucketsUpTo: readonly number[],
    labelNames?: readonly string[],
  ): Histogram;
}

export const noMeter: Meter = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  histogram: () => ({ observe: () => {} }),
};
