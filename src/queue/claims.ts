/** Which events are claimed, in memory: a claim ends with the process. */
export class Claims {
  /** Event → its internal queue. */
  readonly #queueOf = new Map<number, number>();
  readonly #counts: number[];
  /** What the batch that is under way has changed. */
  #taken: number[] = [];
  #released: [eventId: number, queue: number][] = [];

  constructor(queues: number) {
    this.#counts = new Array<number>(queues).fill(0);
  }

  get size(): number {
    return this.#queueOf.size;
  }

  has(eventId: number): boolean {
    return this.#queueOf.has(eventId);
  }

  countOf(queue: number): number {
    return this.#counts[queue] ?? 0;
  }

  queueOf(eventId: number): number | undefined {
    return this.#queueOf.get(eventId);
  }

  begin(): void {
    this.#taken = [];
    this.#released = [];
  }

  take(eventId: number, queue: number): void {
    this.#add(eventId, queue);
    this.#taken.push(eventId);
  }

  release(eventId: number): void {
    const queue = this.#remove(eventId);
    if (queue !== undefined) this.#released.push([eventId, queue]);
  }

  /** Nothing of the batch was done: what it took is free, what it released is claimed. */
  rollBack(): void {
    for (const [eventId, queue] of this.#released) this.#add(eventId, queue);
    for (const eventId of this.#taken) this.#remove(eventId);
    this.begin();
  }

  #add(eventId: number, queue: number): void {
    this.#queueOf.set(eventId, queue);
    this.#counts[queue] = this.countOf(queue) + 1;
  }

  #remove(eventId: number): number | undefined {
    const queue = this.#queueOf.get(eventId);
    if (queue === undefined) return undefined;
    this.#queueOf.delete(eventId);
    this.#counts[queue] = this.countOf(queue) - 1;
    return queue;
  }
}
