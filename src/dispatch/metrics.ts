import type { Counter, Histogram, Meter } from '../base/mod.ts';
import type { InvokeOutcome } from '../worker/mod.ts';

const secondsUpTo = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** The numbers of the invoke path. */
export class DispatchMetrics {
  readonly #invokes: Counter;
  readonly #coldStarts: Counter;
  readonly #duration: Histogram;
  readonly #coldPhase: Histogram;
  readonly #undelivered: Counter;

  constructor(meter: Meter) {
    this.#invokes = meter.counter('sluice_invokes_total', 'Invokes answered.', ['status']);
    this.#coldStarts = meter.counter(
      'sluice_cold_starts_total',
      'Invokes that were the first of their sandbox.',
    );
    this.#duration = meter.histogram(
      'sluice_invoke_duration_seconds',
      'From an event’s delivery to the runtime’s response.',
      secondsUpTo,
    );
    this.#coldPhase = meter.histogram(
      'sluice_cold_start_seconds',
      'Parts of a cold start.',
      secondsUpTo,
      ['phase'],
    );
    this.#undelivered = meter.counter(
      'sluice_leases_refused_total',
      'Leases that a worker did not take; their events went elsewhere.',
      ['verdict'],
    );
  }

  answered({ status, durationMs, start }: InvokeOutcome, leaseMs: number): void {
    this.#invokes.add(1, { status });
    this.#duration.observe(durationMs / 1000);
    if (!start) return;
    this.#coldStarts.add();
    this.#coldPhase.observe(leaseMs / 1000, { phase: 'lease' });
    this.#coldPhase.observe(start.deviceMs / 1000, { phase: 'device' });
    this.#coldPhase.observe(start.sandboxMs / 1000, { phase: 'sandbox' });
    this.#coldPhase.observe(start.initMs / 1000, { phase: 'init' });
  }

  failed(): void {
    this.#invokes.add(1, { status: 'our-error' });
  }

  undelivered(verdict: string): void {
    this.#undelivered.add(1, { verdict });
  }
}
