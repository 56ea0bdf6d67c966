import { assembleModule, FunctionBody, I32, V128 } from './wasm-assembler.ts';

const VECTOR_BYTES = 16;
const NIBBLE = 0x0f;
/** Vectors that one turn of the loop works on: enough to pay for loading the tables once. */
const UNROLL = 4;

/** What the kernel works through in one turn: lengths are whole multiples of it. */
export const KERNEL_STEP_BYTES = UNROLL * VECTOR_BYTES;
/** The low-nibble and the high-nibble table of one coefficient. */
export const TABLE_BYTES = 2 * VECTOR_BYTES;

/**
 * One pass over the inputs that makes `ones + products` outputs. The first, where `ones` is 1, is
 * their XOR; the others `outputs[j] = Σ coefficient[i][j] · inputs[i]` in GF(256), by the nibble
 * tables of Plank, Greenan and Miller ("Screaming Fast Galois Field Arithmetic Using Intel SIMD
 * Instructions", FAST'13).
 * Parameters, all i32: first input, distance between inputs, number of inputs, length, first
 * output, distance between outputs, tables (input-major).
 */
function pass(name: string, ones: 0 | 1, products: number): FunctionBody {
  const f = new FunctionBody(name, 7);
  const [input, stride, count, length] = [0, 1, 2, 3] as const;
  const [output, outputStride, tables] = [4, 5, 6] as const;
  const [offset, source, left] = [f.local(I32), f.local(I32), f.local(I32)];
  const [table, target] = [f.local(I32), f.local(I32)];
  const vectors = (many: number) => Array.from({ length: many }, () => f.local(V128));
  const sums = Array.from({ length: ones + products }, () => vectors(UNROLL));
  const [lowTables, highTables] = [vectors(products), vectors(products)];
  const [mask, low, high] = [f.local(V128), f.local(V128), f.local(V128)];

  const advance = (local: number, by: () => void) => {
    f.get(local);
    by();
    f.i32Add().set(local);
  };
  const loadTables = () => {
    for (let j = 0; j < products; j++) {
      f.get(table)
        .v128Load(j * TABLE_BYTES)
        .set(lowTables[j]!);
      f.get(table)
        .v128Load(j * TABLE_BYTES + VECTOR_BYTES)
        .set(highTables[j]!);
    }
    advance(table, () => f.i32Const(products * TABLE_BYTES));
  };
  const addTerm = (v: number) => {
    f.get(source)
      .v128Load(v * VECTOR_BYTES)
      .set(high);
    if (ones) f.get(high).get(sums[0]![v]!).v128Xor().set(sums[0]![v]!);
    if (products === 0) return;
    f.get(high).get(mask).v128And().set(low);
    f.get(high).i32Const(4).i16x8ShiftRightUnsigned().get(mask).v128And().set(high);
    for (let j = 0; j < products; j++) {
      const each = sums[ones + j]![v]!;
      f.get(lowTables[j]!).get(low).i8x16RelaxedSwizzle();
      f.get(highTables[j]!).get(high).i8x16RelaxedSwizzle();
      f.v128Xor().get(each).v128Xor().set(each);
    }
  };
  const store = () => {
    f.get(output).get(offset).i32Add().set(target);
    for (const each of sums) {
      for (let v = 0; v < UNROLL; v++)
        f.get(target)
          .get(each[v]!)
          .v128Store(v * VECTOR_BYTES);
      advance(target, () => f.get(outputStride));
    }
  };

  f.v128Splat(NIBBLE).set(mask);
  f.loop(() => {
    for (const each of sums.flat()) f.v128Splat(0).set(each);
    f.get(input).get(offset).i32Add().set(source);
    f.get(tables).set(table);
    f.get(count).set(left);
    f.loop(() => {
      loadTables();
      for (let v = 0; v < UNROLL; v++) addTerm(v);
      advance(source, () => f.get(stride));
      f.get(left).i32Const(1).i32Sub().set(left).get(left);
    });
    store();
    advance(offset, () => f.i32Const(KERNEL_STEP_BYTES));
    f.get(offset).get(length).i32LessThanUnsigned();
  });
  return f;
}

/** What a pass makes: the XOR of its inputs or not, and how many sums of products. */
export const PASSES = {
  sum: { ones: 1, products: 0 },
  sumAndProduct: { ones: 1, products: 1 },
  product: { ones: 0, products: 1 },
  twoProducts: { ones: 0, products: 2 },
} as const;
export type PassName = keyof typeof PASSES;

/** The WebAssembly module that exports every pass by its name. */
export function kernelModule(memoryPages: number): Uint8Array {
  const functions = Object.entries(PASSES).map(([name, { ones, products }]) =>
    pass(name, ones, products),
  );
  return assembleModule(functions, memoryPages);
}
