/** What a heap holds: when it is due, its place among equals, and where in the heap it lies. */
export interface HeapTimer {
  readonly dueMs: number;
  /** Timers due at the same time fire in this order. */
  readonly order: number;
  readonly callback: () => void;
  /** Kept by the heap; negative when the timer is not in it. */
  index: number;
}

const before = (a: HeapTimer, b: HeapTimer) =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

/** A binary heap of timers, the earliest first. Adding and removing take logarithmic time. */
export class TimerHeap {
  readonly #timers: HeapTimer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  get first(): HeapTimer | undefined {
    return this.#timers[0];
  }

  add(timer: HeapTimer): void {
    this.#up(timer, this.#timers.length);
  }

  /** Does nothing when the timer is not in the heap. */
  remove(timer: HeapTimer): void {
    const { index } = timer;
    if (index < 0) return;
    timer.index = -1;
    const last = this.#timers.pop();
    if (!last || last === timer) return;
    const parent = this.#timers[(index - 1) >> 1];
    if (index > 0 && parent && before(last, parent)) this.#up(last, index);
    else this.#down(last, index);
  }

  #up(timer: HeapTimer, from: number): void {
    let index = from;
    while (index > 0) {
      const parent = this.#timers[(index - 1) >> 1];
      if (!parent || !before(timer, parent)) break;
      this.#place(parent, index);
      index = (index - 1) >> 1;
    }
    this.#place(timer, index);
  }

  #down(timer: HeapTimer, from: number): void {
    let index = from;
    for (;;) {
      const [left, right] = [this.#timers[2 * index + 1], this.#timers[2 * index + 2]];
      const child = left && right && before(right, left) ? right : left;
      if (!child || !before(child, timer)) break;
      const freed = child.index;
      this.#place(child, index);
      index = freed;
    }
    this.#place(timer, index);
  }

  #place(timer: HeapTimer, index: number): void {
    this.#timers[index] = timer;
    timer.index = index;
  }
}
