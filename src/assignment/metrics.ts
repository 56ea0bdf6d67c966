import type { Clock, Counter, Gauge, Histogram, Meter, Timer } from '../base/mod.ts';
import type { AssignmentState, RefusalReason } from './state.ts';
import type { InvokeOutcome } from './types.ts';

/** Gauges follow the state at this distance, since setting them costs more than a lease. */
const levelEveryMs = 250;

const secondsUpTo = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** The numbers of the invoke path. */
export class AssignmentMetrics {
  readonly #invokes: Counter;
  readonly #refused: Counter;
  readonly #coldStarts: Counter;
  readonly #duration: Histogram;
  readonly #coldPhase: Histogram;
  readonly #sandboxes: Gauge;
  readonly #inFlight: Gauge;
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(meter: Meter, clock: Clock) {
    this.#clock = clock;
    this.#invokes = meter.counter('sluice_invokes_total', 'Invokes answered.', ['status']);
    this.#refused = meter.counter('sluice_invokes_refused_total', 'Invokes refused.', ['reason']);
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
    this.#sandboxes = meter.gauge('sluice_sandboxes', 'Sandboxes, by what they do.', ['phase']);
    this.#inFlight = meter.gauge('sluice_invokes_in_flight', 'Invokes admitted, not yet answered.');
  }

  answered(outcome: InvokeOutcome): void {
    const { status, timings } = outcome;
    this.#invokes.add(1, { status });
    this.#duration.observe(timings.durationMs / 1000);
    if (!timings.coldStart) return;
    this.#coldStarts.add();
    this.#coldPhase.observe(timings.leaseMs / 1000, { phase: 'lease' });
    this.#coldPhase.observe(timings.deviceMs / 1000, { phase: 'device' });
    this.#coldPhase.observe(timings.sandboxMs / 1000, { phase: 'sandbox' });
    this.#coldPhase.observe(timings.initMs / 1000, { phase: 'init' });
  }

  refused(reason: RefusalReason): void {
    this.#refused.add(1, { reason });
  }

  failed(): void {
    this.#invokes.add(1, { status: 'our-error' });
  }

  /** Sets the gauges soon. */
  changed(state: AssignmentState): void {
    this.#timer ??= this.#clock.setTimer(levelEveryMs, () => {
      this.#timer = undefined;
      this.#level(state);
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  #level(state: AssignmentState): void {
    const all = state.sandboxes.size;
    const idle = state.allIdle.length;
    this.#sandboxes.set(idle, { phase: 'idle' });
    this.#sandboxes.set(state.starting, { phase: 'starting' });
    this.#sandboxes.set(all - idle - state.starting, { phase: 'occupied' });
    this.#inFlight.set(state.invokes.size);
  }
}
