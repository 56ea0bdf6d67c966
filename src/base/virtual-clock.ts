import { assert } from './assert.ts';
import type { Clock, Timer } from './clock.ts';
import { type HeapTimer, TimerHeap } from './timer-heap.ts';

/** Ends when every promise that can go on without new events has done so. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * A clock that moves only when told to. Timers fire in due order, ties in the order they were set,
 * so that what runs on it runs the same way each time.
 */
export class VirtualClock implements Clock {
  readonly #timers = new TimerHeap();
  #monotonicMs: number;
  #wallAheadMs: number;
  #order = 0;
  #advancing = false;

  /** `monotonicMs` is the monotonic time at the start; the same number as the wall clock's if not given. */
  constructor(startMs = 0, monotonicMs = startMs) {
    this.#monotonicMs = monotonicMs;
    this.#wallAheadMs = startMs - monotonicMs;
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#monotonicMs + this.#wallAheadMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#monotonicMs + Math.max(0, delayMs);
    const timer: HeapTimer = { dueMs, order: this.#order++, callback, index: -1 };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.remove(timer) };
  }

  soon(callback: () => void): void {
    this.setTimer(0, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The wall clock is set forward or back, as NTP and operators do; monotonic time and timers stay. */
  stepWall(byMs: number): void {
    this.#wallAheadMs += byMs;
  }

  /**
   * Lets `byMs` pass: fires what falls due on the way, and between two timers lets every promise go
   * as far as it can. What such promises set falls due too if it is early enough.
   */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    await this.#alone(async () => {
      for (;;) {
        await turn();
        const next = this.#timers.first;
        if (!next || next.dueMs > untilMs) break;
        this.#fire(next);
      }
    });
    this.#monotonicMs = Math.max(this.#monotonicMs, untilMs);
  }

  /**
   * Fires timer after timer until `work` has settled, and gives its outcome. Fails when no timer is
   * left that could settle it, or when it takes more than `withinMs`. For work that waits for time
   * alone: what waits for a socket or a file may look as if it waited for nothing.
   */
  async until<T>(work: Promise<T>, withinMs = 24 * 3_600_000): Promise<T> {
    const untilMs = this.#monotonicMs + withinMs;
    let settled = false;
    const done = () => {
      settled = true;
    };
    work.then(done, done);
    await this.#alone(async () => {
      for (;;) {
        await turn();
        if (settled) return;
        const next = this.#timers.first;
        assert(next, 'virtual clock: the work waits, and no timer is set');
        assert(next.dueMs <= untilMs, `virtual clock: the work took more than ${withinMs} ms`);
        this.#fire(next);
      }
    });
    return await work;
  }

  /** Moves time at once, firing what falls due on the way; no promise runs in between. */
  jump(byMs: number): void {
    const untilMs = this.#monotonicMs + byMs;
    for (let next = this.#timers.first; next && next.dueMs <= untilMs; next = this.#timers.first) {
      this.#fire(next);
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, untilMs);
  }

  #fire(timer: HeapTimer): void {
    this.#timers.remove(timer);
    this.#monotonicMs = Math.max(this.#monotonicMs, timer.dueMs);
    timer.callback();
  }

  /** Two that move the same clock at once would each see time run in leaps. */
  async #alone(work: () => Promise<void>): Promise<void> {
    assert(!this.#advancing, 'virtual clock: it is being advanced already');
    this.#advancing = true;
    try {
      await work();
    } finally {
      this.#advancing = false;
    }
  }
}
