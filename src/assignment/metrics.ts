import type { Clock, Counter, Gauge, Meter, Timer } from '../base/mod.ts';
import type { RefusalReason } from './events.ts';
import type { AssignmentState } from './state.ts';

/** Gauges follow the state at this distance, since setting them costs more than a lease. */
const levelEveryMs = 250;

/** The numbers of the leader. */
export class AssignmentMetrics {
  readonly #refused: Counter;
  readonly #sandboxes: Gauge;
  readonly #inFlight: Gauge;
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(meter: Meter, clock: Clock) {
    this.#clock = clock;
    this.#refused = meter.counter('sluice_invokes_refused_total', 'Invokes refused.', ['reason']);
    this.#sandboxes = meter.gauge('sluice_sandboxes', 'Sandboxes, by what they do.', ['phase']);
    this.#inFlight = meter.gauge('sluice_invokes_in_flight', 'Invokes admitted, not yet answered.');
  }

  refused(reason: RefusalReason): void {
    this.#refused.add(1, { reason });
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
    this.#inFlight.set(state.inFlight);
  }
}
