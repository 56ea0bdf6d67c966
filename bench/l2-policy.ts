/**
 * Hit shares of the tiers under LRU-2 and under LRU: Zipf-popular functions on a fleet of workers,
 * and once a day a storm of functions that each run once (ATC'23 section 4.3). Simulated with the
 * cache's own eviction structure; the same starts for both policies.
 */
import { SeededRandom } from '../src/base/mod.ts';
import { LruK } from '../src/cache/l2/lru-k.ts';

const WORKERS = 24;
const FUNCTIONS = 400;
const CRON_FUNCTIONS = 1000;
const BASES = 12;
const BASE_CHUNKS = 10;
const OWN_CHUNKS = 22;
const DAYS = 5;
const STARTS_PER_DAY = 10_000;
const L1_CHUNKS = 500;
const L2_CHUNKS = 10_000;
/** Workers that a function is placed on. */
const SPREAD = 8;
const ZIPF = 1.05;

interface Cache {
  /** Whether it was there; it is now. */
  use(chunk: number): boolean;
}

class Lru implements Cache {
  readonly #limit: number;
  readonly #held = new Set<number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  use(chunk: number): boolean {
    const held = this.#held.delete(chunk);
    this.#held.add(chunk);
    if (this.#held.size > this.#limit) {
      const oldest = this.#held.values().next();
      if (!oldest.done) this.#held.delete(oldest.value);
    }
    return held;
  }
}

class Lru2 implements Cache {
  readonly #lruK: LruK<number, true>;
  #now = 0;

  constructor(limit: number) {
    this.#lruK = new LruK({ limitBytes: limit, historyKeys: limit });
  }

  use(chunk: number): boolean {
    this.#now++;
    const held = this.#lruK.get(chunk, this.#now) !== undefined;
    if (!held) this.#lruK.set(chunk, true, 1, this.#now);
    return held;
  }
}

export interface TierShares {
  readonly policy: string;
  /** Of all chunk loads, day one left out. */
  readonly l1: number;
  readonly l2: number;
  readonly origin: number;
  /** The same in the first fifth of a day, right after a storm. */
  readonly originAfterStorm: number;
}

/** Chunks that a start of a function loads: those of its base image, then its own. */
function chunksOf(id: number): number[] {
  const base = (id * 7919) % BASES;
  const shared = Array.from({ length: BASE_CHUNKS }, (_, i) => base * BASE_CHUNKS + i);
  const own = Array.from({ length: OWN_CHUNKS }, (_, i) => 1_000_000 + id * OWN_CHUNKS + i);
  return [...shared, ...own];
}

function simulate(policy: string, create: (limit: number) => Cache): TierShares {
  const random = new SeededRandom(2023);
  const l1 = Array.from({ length: WORKERS }, () => create(L1_CHUNKS));
  const l2 = create(L2_CHUNKS);
  const weights = Array.from({ length: FUNCTIONS }, (_, i) => 1 / (i + 1) ** ZIPF);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const cumulative = weights.map((weight) => (sum += weight / total));
  const counts = { loads: 0, l1: 0, l2: 0, origin: 0, earlyLoads: 0, earlyOrigin: 0 };

  const start = (id: number, counted: boolean, early: boolean) => {
    // A function stays on few workers: placement likes those that know it.
    const worker = (id * 31 + Math.floor(random.float() * SPREAD)) % WORKERS;
    for (const chunk of chunksOf(id)) {
      const tier = l1[worker]!.use(chunk) ? 'l1' : l2.use(chunk) ? 'l2' : 'origin';
      if (!counted) continue;
      counts.loads++;
      counts[tier]++;
      if (!early) continue;
      counts.earlyLoads++;
      if (tier === 'origin') counts.earlyOrigin++;
    }
  };
  for (let day = 0; day < DAYS; day++) {
    for (let id = 0; id < CRON_FUNCTIONS; id++) start(FUNCTIONS + id, false, false);
    for (let i = 0; i < STARTS_PER_DAY; i++) {
      const at = random.float();
      const id = cumulative.findIndex((share) => share >= at);
      start(Math.max(id, 0), day > 0, i < STARTS_PER_DAY / 5);
    }
  }
  return {
    policy,
    l1: counts.l1 / counts.loads,
    l2: counts.l2 / counts.loads,
    origin: counts.origin / counts.loads,
    originAfterStorm: counts.earlyOrigin / counts.earlyLoads,
  };
}

export function measurePolicies(): TierShares[] {
  return [
    simulate('LRU-2', (limit) => new Lru2(limit)),
    simulate('LRU', (limit) => new Lru(limit)),
  ];
}
