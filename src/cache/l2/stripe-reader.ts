import { type Clock, limits } from '../../base/mod.ts';
import type { ErasureCode } from '../../erasure/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';
import type { StripeAnswer, StripeGet } from './node-client.ts';
import { stripeId } from './stripe-key.ts';
import type { Zone } from './zone.ts';

/** One stripe's answer, late ones included: what latency distributions are drawn from. */
export interface StripeTiming {
  /** Counts the reads of this worker, so that the stripes of one go together. */
  readonly read: number;
  readonly index: number;
  readonly answer: StripeAnswer;
  readonly ms: number;
}

/** What a round of requests brought. */
export interface StripesRead {
  readonly stripes: (Buffer | undefined)[];
  /** Late ones are still noted, without their stripe. */
  readonly answers: (StripeAnswer | undefined)[];
  /** Resolves when every node has answered or has had its time. */
  allAnswered: Promise<void>;
  /** k·stripe bytes, in which the data stripes lie in order. */
  readonly space: Buffer;
  /** Where parity stripes arrive. */
  readonly parity: readonly Buffer[];
}

export interface StripeReaderOptions {
  readonly zone: Zone;
  readonly code: ErasureCode;
  readonly clock: Clock;
  /** `limits.l2.stripeTimeoutMs` unless given. */
  readonly stripeTimeoutMs?: number;
  readonly onStripe?: ((timing: StripeTiming) => void) | undefined;
}

/**
 * Asks the nodes of all k+m stripes at once and goes on with the first k, in good times and bad, so
 * that a slow node costs nothing and a failure adds no work (ATC'23 section 4.1). There is no retry
 * and no second request: what has not come after `stripeTimeoutMs` is not there.
 */
export class StripeReader {
  readonly #options: StripeReaderOptions;
  /** Parity buffers to use again: fresh ones cost page faults, and garbage collections. */
  readonly #spareParity: Buffer[] = [];
  #reads = 0;

  constructor(options: StripeReaderOptions) {
    this.#options = options;
  }

  /** Ends with the first k stripes, or as soon as so many cannot come any more. */
  readEnough(chunkName: ChunkName): Promise<StripesRead> {
    const { k, width } = this.#options.code;
    return this.#read(chunkName, [...new Array(width).keys()], k, this.#empty());
  }

  /** Adds the stripes that `round` lacks, as many as come. */
  readRest(chunkName: ChunkName, round: StripesRead): Promise<StripesRead> {
    const rest = [...round.stripes.keys()].filter((index) => !round.stripes[index]);
    return rest.length === 0
      ? Promise.resolve(round)
      : this.#read(chunkName, rest, undefined, round);
  }

  /** The round's stripes are no longer needed. */
  release({ parity }: StripesRead): void {
    if (this.#spareParity.length < limits.l2.spareParities) this.#spareParity.push(...parity);
  }

  #read(
    chunkName: ChunkName,
    indexes: readonly number[],
    enough: number | undefined,
    round: StripesRead,
  ): Promise<StripesRead> {
    const { zone, code, clock, onStripe } = this.#options;
    const timeoutMs = this.#options.stripeTimeoutMs ?? limits.l2.stripeTimeoutMs;
    const read = this.#reads++;
    const startMs = clock.monotonicMs();
    const last = Promise.withResolvers<void>();
    round.allAnswered = last.promise;
    return new Promise((resolve) => {
      const gets: StripeGet[] = [];
      let hits = 0;
      let pending = indexes.length;
      let settled = false;
      const settle = () => {
        settled = true;
        for (const get of gets) get.abandon();
        resolve(round);
      };
      for (const index of indexes) {
        const target = this.#target(round, index);
        const answered = (answer: StripeAnswer) => {
          onStripe?.({ read, index, answer, ms: clock.monotonicMs() - startMs });
          pending--;
          round.answers[index] = answer;
          if (pending === 0) last.resolve();
          if (settled) return;
          if (answer === 'hit') {
            hits++;
            round.stripes[index] = target;
          }
          const decided = enough !== undefined && (hits >= enough || hits + pending < enough);
          if (decided || pending === 0) settle();
        };
        const client = zone.clientOf(chunkName, index);
        const id = stripeId({ chunkName, k: code.k, m: code.m, index });
        const get = client?.get(id, target, timeoutMs, answered);
        if (!get) answered('failed');
        else if (settled) get.abandon();
        else gets.push(get);
      }
    });
  }

  #empty(): StripesRead {
    const { k, m, width, stripeSizeBytes } = this.#options.code;
    const parityBuffer = () => this.#spareParity.pop() ?? Buffer.allocUnsafeSlow(stripeSizeBytes);
    return {
      stripes: new Array<undefined>(width).fill(undefined),
      answers: new Array<undefined>(width).fill(undefined),
      allAnswered: Promise.resolve(),
      space: Buffer.allocUnsafeSlow(k * stripeSizeBytes),
      parity: Array.from({ length: m }, parityBuffer),
    };
  }

  /** Data stripes arrive where they lie in the chunk. */
  #target({ space, parity }: StripesRead, index: number): Buffer {
    const { k, stripeSizeBytes } = this.#options.code;
    if (index >= k) return parity[index - k]!;
    return space.subarray(index * stripeSizeBytes, (index + 1) * stripeSizeBytes);
  }
}
