/**
 * What an empty cache does to a region, with and without a limit on concurrent starts: a model of
 * the region in virtual time (ATC'23 section 4.2). Invokes arrive at a steady rate; one that finds
 * no idle sandbox starts one, which loads chunks from L2 or, through a queue, from an origin of
 * fixed capacity. At second zero L2 and all sandboxes are gone. The slower starts are, the more
 * of them overlap, and the more of the origin's work is for starts that nobody waits for any more.
 */
import { SeededRandom } from '../src/base/mod.ts';
import { LruK } from '../src/cache/l2/lru-k.ts';

const INVOKES_PER_SECOND = 400;
const FUNCTIONS = 400;
const ZIPF = 0.9;
const CHUNKS_PER_START = 24;
const SHARED_CHUNKS = 8;
const EXECUTION_MS = 50;
const IDLE_MS = 30_000;
const CLIENT_PATIENCE_MS = 5_000;
const L2_MS = 1;
const ORIGIN_MS = 36;
const ORIGIN_PARALLEL = 12;
const L2_CHUNKS = 12_000;
const SECONDS = 120;
/** Before the drill begins the region runs warm for so long. */
const WARM_SECONDS = 60;

export interface DrillRun {
  readonly startLimit: number | undefined;
  /** Share of the invokes of each second that were answered in time. */
  readonly answered: readonly number[];
  /** Gets waiting at the origin, the most in each second. */
  readonly originWaiting: readonly number[];
  readonly originPeakWaiting: number;
  readonly originGets: number;
  readonly refused: number;
  /** Seconds until 99 % are answered and stay so for ten; undefined: not within the drill. */
  readonly recoverySeconds: number | undefined;
}

/** Events in order of time. */
class Agenda {
  readonly #heap: { atMs: number; run: () => void }[] = [];
  nowMs = 0;

  at(atMs: number, run: () => void): void {
    let index = this.#heap.push({ atMs, run }) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#heap[parent]!.atMs <= atMs) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next && next.atMs <= endMs; next = this.#heap[0]) {
      const last = this.#heap.pop()!;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink();
      }
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const [left, right] = [this.#heap[child], this.#heap[child + 1]];
      if (!left) return;
      if (right && right.atMs < left.atMs) child++;
      if (this.#heap[index]!.atMs <= this.#heap[child]!.atMs) return;
      this.#swap(index, child);
      index = child;
    }
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }
}

class Region {
  readonly #agenda = new Agenda();
  readonly #random = new SeededRandom(99);
  readonly #startLimit: number | undefined;
  readonly #cumulative: readonly number[];
  /** Until when each idle sandbox of a function lives. */
  #idle: number[][] = [];
  #l2 = this.#emptyL2();
  readonly #originQueue: (() => void)[] = [];
  #originBusy = 0;
  #starting = 0;
  /** Sandboxes of an earlier generation do not come back to the pool after the drill's begin. */
  #generation = 0;
  originGets = 0;
  refused = 0;
  readonly #invokes = new Array<number>(SECONDS).fill(0);
  readonly #answers = new Array<number>(SECONDS).fill(0);
  readonly #waiting = new Array<number>(SECONDS).fill(0);

  constructor(startLimit: number | undefined) {
    this.#startLimit = startLimit;
    const weights = Array.from({ length: FUNCTIONS }, (_, i) => 1 / (i + 1) ** ZIPF);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let sum = 0;
    this.#cumulative = weights.map((weight) => (sum += weight / total));
    this.#idle = Array.from({ length: FUNCTIONS }, () => []);
  }

  run(): DrillRun {
    this.#agenda.at(0, () => this.#arrive());
    this.#warmUp();
    this.#agenda.runUntil(WARM_SECONDS * 1000);
    this.#empty();
    this.originGets = 0;
    this.refused = 0;
    this.#agenda.runUntil((WARM_SECONDS + SECONDS) * 1000);
    const answered = this.#invokes.map((count, second) =>
      count === 0 ? 1 : this.#answers[second]! / count,
    );
    const recovered = answered.findIndex((_, second) => {
      const next = answered.slice(second, second + 10);
      return next.length === 10 && next.every((share) => share >= 0.99);
    });
    return {
      ...{ startLimit: this.#startLimit, answered, originWaiting: this.#waiting },
      originPeakWaiting: Math.max(...this.#waiting),
      ...{ originGets: this.originGets, refused: this.refused },
      recoverySeconds: recovered < 0 ? undefined : recovered,
    };
  }

  #emptyL2() {
    return new LruK<number, true>({ limitBytes: L2_CHUNKS, historyKeys: L2_CHUNKS });
  }

  /** The region has run for days: L2 holds every chunk. */
  #warmUp(): void {
    for (let id = 0; id < FUNCTIONS; id++) {
      for (const chunk of chunksOf(id)) this.#l2.set(chunk, true, 1, 0);
    }
  }

  #empty(): void {
    this.#generation++;
    this.#l2 = this.#emptyL2();
    this.#idle = this.#idle.map(() => []);
  }

  #arrive(): void {
    const gapMs = (-Math.log(1 - this.#random.float()) * 1000) / INVOKES_PER_SECOND;
    this.#agenda.at(this.#agenda.nowMs + gapMs, () => this.#arrive());
    const at = this.#random.float();
    this.#invoke(
      Math.max(
        0,
        this.#cumulative.findIndex((share) => share >= at),
      ),
    );
  }

  #invoke(id: number): void {
    const beganMs = this.#agenda.nowMs;
    this.#note(this.#invokes, beganMs);
    const idle = this.#idle[id]!;
    while (idle.length > 0) {
      if (idle.pop()! <= beganMs) continue;
      this.#execute(id, beganMs);
      return;
    }
    if (this.#startLimit !== undefined && this.#starting >= this.#startLimit) {
      this.refused++;
      return;
    }
    this.#starting++;
    this.#load(chunksOf(id), () => {
      this.#starting--;
      this.#execute(id, beganMs);
    });
  }

  #execute(id: number, beganMs: number): void {
    const generation = this.#generation;
    this.#agenda.at(this.#agenda.nowMs + EXECUTION_MS, () => {
      const { nowMs } = this.#agenda;
      if (nowMs - beganMs <= CLIENT_PATIENCE_MS) this.#note(this.#answers, beganMs);
      if (generation === this.#generation) this.#idle[id]!.push(nowMs + IDLE_MS);
    });
  }

  /** One chunk after the other, as page faults come. */
  #load(chunks: readonly number[], done: () => void): void {
    const [chunk, ...rest] = chunks;
    if (chunk === undefined) {
      done();
      return;
    }
    const { nowMs } = this.#agenda;
    if (this.#l2.get(chunk, nowMs)) {
      this.#agenda.at(nowMs + L2_MS, () => this.#load(rest, done));
      return;
    }
    this.#originQueue.push(() => {
      this.#l2.set(chunk, true, 1, this.#agenda.nowMs);
      this.#load(rest, done);
    });
    this.#serveOrigin();
  }

  #serveOrigin(): void {
    const second = Math.floor(this.#agenda.nowMs / 1000) - WARM_SECONDS;
    if (second >= 0 && second < SECONDS) {
      this.#waiting[second] = Math.max(this.#waiting[second]!, this.#originQueue.length);
    }
    while (this.#originBusy < ORIGIN_PARALLEL) {
      const next = this.#originQueue.shift();
      if (!next) return;
      this.#originBusy++;
      this.originGets++;
      this.#agenda.at(this.#agenda.nowMs + ORIGIN_MS, () => {
        this.#originBusy--;
        next();
        this.#serveOrigin();
      });
    }
  }

  #note(counts: number[], atMs: number): void {
    const second = Math.floor(atMs / 1000) - WARM_SECONDS;
    if (second >= 0 && second < SECONDS) counts[second]!++;
  }
}

function chunksOf(id: number): number[] {
  return Array.from({ length: CHUNKS_PER_START }, (_, i) =>
    i < SHARED_CHUNKS ? (id % 10) * SHARED_CHUNKS + i : 1_000_000 + id * CHUNKS_PER_START + i,
  );
}

/** The same arrivals under several limits; undefined is none. */
export function drill(limits: readonly (number | undefined)[]): DrillRun[] {
  return limits.map((limit) => new Region(limit).run());
}
