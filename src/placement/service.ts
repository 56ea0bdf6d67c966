import { type Clock, limits, MIB, SluiceError } from '../base/mod.ts';
import {
  createState,
  type PlacementEvent,
  type PlacementLimits,
  type PlacementState,
} from './state.ts';
import { step } from './step.ts';

/** What placement reads of a worker's report. */
export type StandingReport = Omit<
  PlacementEvent & { readonly type: 'worker-report' },
  'type' | 'atMs'
>;

export interface PlacementOptions {
  readonly clock: Clock;
  readonly limits?: PlacementLimits;
}

/** Knows the workers by their reports, and says which one a start goes to. */
export class PlacementService {
  readonly #clock: Clock;
  readonly #state: PlacementState;

  constructor(options: PlacementOptions) {
    this.#clock = options.clock;
    this.#state = createState(options.limits ?? limits.placement);
  }

  reported(report: StandingReport): void {
    const { workerId, draining, freeMemoryBytes, startsUnderWay } = report;
    const atMs = this.#clock.monotonicMs();
    const standing = { workerId, draining, freeMemoryBytes, startsUnderWay };
    step(this.#state, { type: 'worker-report', atMs, ...standing });
  }

  leave(workerId: string): void {
    step(this.#state, { type: 'worker-left', atMs: this.#clock.monotonicMs(), workerId });
  }

  /** Rejects with `START_LIMIT_EXCEEDED` when no worker takes starts. */
  async place(request: {
    readonly sandboxId: string;
    readonly version: { readonly memoryMb: number };
  }): Promise<{ readonly workerId: string }> {
    const { sandboxId, version } = request;
    const memoryBytes = version.memoryMb * MIB;
    const atMs = this.#clock.monotonicMs();
    const [effect] = step(this.#state, { type: 'place', atMs, sandboxId, memoryBytes }).effects;
    if (effect?.type === 'placed') return { workerId: effect.workerId };
    const reason = effect?.reason ?? 'no-worker';
    throw new SluiceError('START_LIMIT_EXCEEDED', `${sandboxId}: no worker takes starts`, {
      data: { reason: 'ConcurrentInvocationLimitExceeded', limit: reason },
    });
  }
}
