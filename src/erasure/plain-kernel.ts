import { type Matrix, multiply } from './galois.ts';

/** `outputs[j] = Σ rows[j][i] · inputs[i]` in GF(256), over equally long stripes. */
export type DotProduct = (
  rows: Matrix,
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
) => void;

/** The kernel's twin, written to be read: what the WebAssembly one is tested against. */
export const plainDotProduct: DotProduct = (rows, inputs, outputs) => {
  for (const [j, output] of outputs.entries()) {
    output.fill(0);
    for (const [i, input] of inputs.entries()) {
      const coefficient = rows[j]![i]!;
      const products = Uint8Array.from({ length: 256 }, (_, byte) => multiply(coefficient, byte));
      for (let at = 0; at < output.length; at++) output[at]! ^= products[input[at]!]!;
    }
  }
};
