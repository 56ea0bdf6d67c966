import { assert, KIB, limits } from '../base/mod.ts';
import { type Matrix, multiply } from './galois.ts';
import {
  KERNEL_STEP_BYTES,
  kernelModule,
  PASSES,
  type PassName,
  TABLE_BYTES,
} from './kernel-program.ts';
import type { DotProduct } from './plain-kernel.ts';

/** Stripes go through the kernel in blocks that stay in a core's second-level cache. */
const BLOCK_BYTES = 32 * KIB;
const WASM_PAGE_BYTES = 64 * KIB;

const { dataStripes, parityStripes } = limits.erasure;
const INPUTS_AT = 0;
const OUTPUTS_AT = INPUTS_AT + dataStripes * BLOCK_BYTES;
/** A recovery wants at most as many stripes as were lost, so never more than there are parities. */
const TABLES_AT = OUTPUTS_AT + parityStripes * BLOCK_BYTES;
const MEMORY_BYTES = TABLES_AT + dataStripes * parityStripes * TABLE_BYTES;
export const MEMORY_PAGES = Math.ceil(MEMORY_BYTES / WASM_PAGE_BYTES);

assert(BLOCK_BYTES % KERNEL_STEP_BYTES === 0, 'a block is a whole number of kernel steps');

type Kernel = (
  input: number,
  inputStride: number,
  inputCount: number,
  length: number,
  output: number,
  outputStride: number,
  tables: number,
) => void;
type Kernels = Readonly<Record<PassName, Kernel>>;

/** One call of a kernel: where it writes, and where the tables for it begin. */
interface Pass {
  readonly kernel: Kernel;
  readonly outputAt: number;
  readonly tablesAt: number;
}

/**
 * The dot product of `plainDotProduct` in WebAssembly SIMD. The XOR of m = 1 goes through it too: in
 * plain JavaScript the loop over BigUint64Array is as fast only once V8's last compiler has had it,
 * and until then it makes an object of every word (measured: 0.2 GB/s against 10).
 * Calls are synchronous and leave nothing in the kernel's memory that a later one reads.
 */
export function createSimdDotProduct(): DotProduct {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const module = new WebAssembly.Module(kernelModule(MEMORY_PAGES));
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  const bytes = new Uint8Array(memory.buffer);

  return (rows, inputs, outputs) => {
    assert(inputs.length <= dataStripes, `the kernel has room for ${dataStripes} inputs`);
    assert(outputs.length <= parityStripes, `the kernel has room for ${parityStripes} outputs`);
    const passes = plan(exports as Kernels, bytes, rows);
    const lengthBytes = inputs[0]!.length;
    for (let at = 0; at < lengthBytes; at += BLOCK_BYTES) {
      const end = Math.min(at + BLOCK_BYTES, lengthBytes);
      for (let i = 0; i < inputs.length; i++) {
        bytes.set(inputs[i]!.subarray(at, end), INPUTS_AT + i * BLOCK_BYTES);
      }
      for (const { kernel, outputAt, tablesAt } of passes) {
        kernel(INPUTS_AT, BLOCK_BYTES, inputs.length, end - at, outputAt, BLOCK_BYTES, tablesAt);
      }
      for (let j = 0; j < outputs.length; j++) {
        const from = OUTPUTS_AT + j * BLOCK_BYTES;
        outputs[j]!.set(bytes.subarray(from, from + end - at), at);
      }
    }
  };
}

/** Splits rows into passes of the kernel, and writes the tables for them. */
function plan(kernels: Kernels, memory: Uint8Array, rows: Matrix): Pass[] {
  const passes: Pass[] = [];
  let tablesAt = TABLES_AT;
  for (let j = 0; j < rows.length; ) {
    const name = nextPass(rows[j]!, rows[j + 1]);
    const { ones, products } = PASSES[name];
    passes.push({ kernel: kernels[name], outputAt: OUTPUTS_AT + j * BLOCK_BYTES, tablesAt });
    tablesAt = writeTables(memory, tablesAt, rows.slice(j + ones, j + ones + products));
    j += ones + products;
  }
  return passes;
}

function nextPass(row: Uint8Array, following: Uint8Array | undefined): PassName {
  if (row.every((coefficient) => coefficient === 1)) return following ? 'sumAndProduct' : 'sum';
  return following ? 'twoProducts' : 'product';
}

/** Tables of up to two rows, interleaved by input as a pass walks them; answers their end. */
function writeTables(memory: Uint8Array, tablesAt: number, rows: Matrix): number {
  let at = tablesAt;
  for (let i = 0; i < (rows[0]?.length ?? 0); i++) {
    for (const row of rows) {
      for (let nibble = 0; nibble < 16; nibble++) {
        memory[at + nibble] = multiply(row[i]!, nibble);
        memory[at + 16 + nibble] = multiply(row[i]!, nibble << 4);
      }
      at += TABLE_BYTES;
    }
  }
  return at;
}
