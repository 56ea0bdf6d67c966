import {
  type Clock,
  type Logger,
  type SluiceError,
  type Timer,
  toSluiceError,
} from '../base/mod.ts';
import type { AssignmentEffect, AssignmentEvent, StartError } from './events.ts';
import type { Placer } from './options.ts';
import { type AssignmentLimits, type AssignmentState, createState } from './state.ts';
import { step } from './step.ts';
import { nextTickMs } from './time.ts';
import { WorkerOrders } from './worker-orders.ts';

/** What callers that wait for a lease are told. */
export interface LeaseAnswers {
  lend(effect: AssignmentEffect & { type: 'lend' }): void;
  refuse(effect: AssignmentEffect & { type: 'refuse' }): void;
  fail(effect: AssignmentEffect & { type: 'fail' }): void;
  /** After each event, when all its effects are carried out. */
  changed(): void;
}

interface LeaderParts {
  readonly placer: Placer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: AssignmentLimits;
  readonly answers: LeaseAnswers;
}

/** Runs the state machine: gives it events and the time, and has its effects carried out. */
export class Leader {
  readonly state: AssignmentState;
  readonly orders: WorkerOrders;
  readonly #parts: LeaderParts;
  readonly #pending: AssignmentEvent[] = [];
  /** Region time less monotonic time. */
  readonly #epochMs: number;
  #stepping = false;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    this.state = createState(parts.limits);
    this.#epochMs = parts.clock.nowMs() - parts.clock.monotonicMs();
    this.orders = new WorkerOrders(parts.logger, {
      ready: (sandboxId, initFailed) =>
        this.do({ type: 'ready', atMs: this.nowMs(), sandboxId, initFailed }),
      died: (sandboxId, error) => {
        const data = error && startError(error);
        this.do({ type: 'died', atMs: this.nowMs(), sandboxId, error: data });
      },
    });
  }

  /** The region's time: the wall clock's as of the start, which does not step from then on. */
  nowMs(): number {
    return this.#epochMs + this.#parts.clock.monotonicMs();
  }

  /** One event after the other, each with its effects before the next. */
  do(event: AssignmentEvent): void {
    if (this.#stepping) {
      this.#pending.push(event);
      return;
    }
    this.#stepping = true;
    try {
      this.#step(event);
      while (this.#pending.length > 0) this.#step(this.#pending.shift() as AssignmentEvent);
    } finally {
      this.#stepping = false;
    }
    this.#parts.answers.changed();
    this.#armTimer();
  }

  async close(): Promise<void> {
    await this.orders.close();
    this.#timer?.cancel();
  }

  #step(event: AssignmentEvent): void {
    for (const effect of step(this.state, event).effects) this.#carryOut(effect);
  }

  #armTimer(): void {
    const dueMs = nextTickMs(this.state);
    if (dueMs === undefined || dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#parts.clock.setTimer(Math.max(1, dueMs - this.state.nowMs), () => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.do({ type: 'tick', atMs: this.nowMs() });
    });
  }

  #carryOut(effect: AssignmentEffect): void {
    const { answers } = this.#parts;
    switch (effect.type) {
      case 'lend':
        answers.lend(effect);
        break;
      case 'refuse':
        answers.refuse(effect);
        break;
      case 'fail':
        answers.fail(effect);
        break;
      case 'place':
        void this.#place(effect);
        break;
      case 'start': {
        const { workerId, sandboxId, version, provisioned } = effect;
        const initializationType = provisioned ? 'provisioned-concurrency' : 'on-demand';
        const { term } = this.state;
        this.orders.start(workerId, { sandboxId, version, initializationType, term });
        break;
      }
      case 'stop':
        this.orders.stop(effect.workerId, effect.sandboxId);
        break;
    }
  }

  async #place({ sandboxId, version, provisioned }: AssignmentEffect & { type: 'place' }) {
    try {
      const { workerId } = await this.#parts.placer.place({ sandboxId, version });
      this.do({ type: 'born', atMs: this.nowMs(), sandboxId, workerId, version, provisioned });
    } catch (cause) {
      const error = startError(toSluiceError(cause, 'SANDBOX_START_FAILED'));
      this.do({ type: 'unplaced', atMs: this.nowMs(), sandboxId, error });
    }
  }
}

function startError({ code, message, data }: SluiceError): StartError {
  return { code, message, data };
}
