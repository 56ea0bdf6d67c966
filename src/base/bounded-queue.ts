import { SluiceError } from './errors.ts';

/** A first-in-first-out queue with a limit; `push` on a full one throws `OVERLOADED`. */
export class BoundedQueue<T> {
  readonly #limit: number;
  #items: (T | undefined)[] = [];
  #head = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    if (this.length >= this.#limit) {
      throw new SluiceError('OVERLOADED', `queue holds its limit of ${this.#limit} items`);
    }
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head >= this.#items.length) return undefined;
    const item = this.#items[this.#head] as T;
    // Nothing that was taken is held on to.
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
