import { CHUNK_SIZE_BYTES, limits, SluiceError } from '../base/mod.ts';
import type { Matrix } from './galois.ts';
import { parityRows, recoveryRows } from './generator-matrix.ts';
import { KERNEL_STEP_BYTES } from './kernel-program.ts';
import type { DotProduct } from './plain-kernel.ts';
import { createSimdDotProduct } from './simd-kernel.ts';

export interface ErasureCodeOptions {
  /** Data stripes: any k of the k+m give the chunk back. */
  readonly k: number;
  /** Parity stripes: how many may be lost, late or lie. */
  readonly m: number;
  readonly chunkSizeBytes?: number;
  /** The plain twin in tests; the WebAssembly kernel otherwise. */
  readonly dotProduct?: DotProduct;
}

let sharedKernel: DotProduct | undefined;

/**
 * A systematic k+m erasure code over chunks of one size: stripes 0 … k-1 are the chunk cut in
 * pieces (the last padded with zeros), stripes k … k+m-1 parity. m = 1 is plain XOR (ATC'23
 * section 4.1); m ≥ 2 is Reed-Solomon over GF(256) with a Cauchy matrix whose first row is the
 * same XOR.
 */
export class ErasureCode {
  readonly k: number;
  readonly m: number;
  readonly chunkSizeBytes: number;
  readonly stripeSizeBytes: number;
  readonly #parity: Matrix;
  readonly #dotProduct: DotProduct;

  private constructor(options: ErasureCodeOptions, dotProduct: DotProduct) {
    this.k = options.k;
    this.m = options.m;
    this.chunkSizeBytes = options.chunkSizeBytes ?? CHUNK_SIZE_BYTES;
    const share = Math.ceil(this.chunkSizeBytes / this.k / KERNEL_STEP_BYTES);
    this.stripeSizeBytes = share * KERNEL_STEP_BYTES;
    this.#parity = parityRows(this.k, this.m);
    this.#dotProduct = dotProduct;
  }

  /** Rejects a code outside `limits.erasure` with `CONFIG_INVALID`. */
  static create(options: ErasureCodeOptions): ErasureCode {
    const { k, m } = options;
    const { dataStripes, parityStripes } = limits.erasure;
    const inRange = (value: number, most: number) =>
      Number.isInteger(value) && value >= 1 && value <= most;
    if (!inRange(k, dataStripes) || !inRange(m, parityStripes)) {
      throw new SluiceError(
        'CONFIG_INVALID',
        `code ${k}+${m}: wants 1 to ${dataStripes} data and 1 to ${parityStripes} parity stripes`,
        { data: { k, m } },
      );
    }
    sharedKernel ??= createSimdDotProduct();
    return new ErasureCode(options, options.dotProduct ?? sharedKernel);
  }

  /** Stripes of a chunk, k+m. */
  get width(): number {
    return this.k + this.m;
  }

  /** `4+1` */
  get name(): string {
    return `${this.k}+${this.m}`;
  }

  /**
   * The k+m stripes of a chunk. Data stripes are views of `chunk`, so they hold only as long as it
   * does; parities go to `parity` when the caller has m buffers to use again, else to fresh ones
   * (whose page faults cost about as much as the arithmetic).
   */
  encode(chunk: Buffer, parity: readonly Buffer[] = this.#freshParity()): Buffer[] {
    if (chunk.length !== this.chunkSizeBytes) {
      throw new SluiceError(
        'INTERNAL',
        `a code for ${this.chunkSizeBytes} bytes was given a chunk of ${chunk.length}`,
      );
    }
    const data = Array.from({ length: this.k }, (_, index) => this.#dataStripe(chunk, index));
    for (const [j, stripe] of parity.entries()) this.#checked(stripe, this.k + j);
    this.#dotProduct(this.#parity, data, parity);
    return [...data, ...parity];
  }

  /**
   * The chunk from any k of its stripes, indexed by stripe number, gaps undefined. It computes and
   * does not judge: a stripe that lies gives a wrong chunk, which the caller's hash finds out.
   * Throws `CHUNK_MISSING` with fewer than k stripes.
   */
  reconstruct(stripes: readonly (Uint8Array | undefined)[]): Buffer {
    const chunk = Buffer.allocUnsafeSlow(this.k * this.stripeSizeBytes);
    const slot = (index: number) =>
      chunk.subarray(index * this.stripeSizeBytes, (index + 1) * this.stripeSizeBytes);
    for (let index = 0; index < this.k; index++) {
      const stripe = stripes[index];
      if (stripe) slot(index).set(this.#checked(stripe, index));
    }
    this.recover(stripes, slot);
    return chunk.subarray(0, this.chunkSizeBytes);
  }

  /** Writes the data stripes that `stripes` lacks into `slot(index)`, and no others. */
  recover(stripes: readonly (Uint8Array | undefined)[], slot: (index: number) => Uint8Array): void {
    const wanted: number[] = [];
    const present: number[] = [];
    for (let index = 0; index < this.width; index++) {
      if (stripes[index] && present.length < this.k) present.push(index);
      else if (index < this.k && !stripes[index]) wanted.push(index);
    }
    if (present.length < this.k) {
      throw new SluiceError(
        'CHUNK_MISSING',
        `${present.length} stripes of a ${this.name} code: ${this.k} are needed`,
        { data: { present: present.length, k: this.k } },
      );
    }
    if (wanted.length === 0) return;
    const sources = present.map((index) => this.#checked(stripes[index]!, index));
    const targets = wanted.map(slot);
    this.#dotProduct(recoveryRows(this.k, this.#parity, present, wanted), sources, targets);
  }

  #freshParity(): Buffer[] {
    return this.#parity.map(() => Buffer.allocUnsafeSlow(this.stripeSizeBytes));
  }

  #dataStripe(chunk: Buffer, index: number): Buffer {
    const start = index * this.stripeSizeBytes;
    const piece = chunk.subarray(start, start + this.stripeSizeBytes);
    if (piece.length === this.stripeSizeBytes) return piece;
    const padded = Buffer.alloc(this.stripeSizeBytes);
    padded.set(piece);
    return padded;
  }

  #checked(stripe: Uint8Array, index: number): Uint8Array {
    if (stripe.length === this.stripeSizeBytes) return stripe;
    throw new SluiceError(
      'CHUNK_CORRUPT',
      `stripe ${index} has ${stripe.length} bytes instead of ${this.stripeSizeBytes}`,
      { data: { index, sizeBytes: stripe.length } },
    );
  }
}
