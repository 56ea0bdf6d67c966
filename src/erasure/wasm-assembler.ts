/** Just enough of the WebAssembly binary format (core specification 2.0, chapter 5) for a kernel. */

export const I32 = 0x7f;
export const V128 = 0x7b;
type ValueType = typeof I32 | typeof V128;

const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const FUNCTION_TYPE = 0x60;
const NO_RESULT = 0x40;
const END = 0x0b;
const SIMD = 0xfd;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest > 0x7f;
    bytes.push((rest & 0x7f) | (more ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const last = (rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}

const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const text = (value: string): number[] => vector([...Buffer.from(value)].map((byte) => [byte]));
const section = (id: number, body: readonly number[]): number[] => [
  id,
  ...unsigned(body.length),
  ...body,
];

/** One function under construction: its instructions in order, and the locals that they use. */
export class FunctionBody {
  readonly name: string;
  readonly parameterCount: number;
  readonly #locals: ValueType[] = [];
  readonly #code: number[] = [];

  /** All parameters are i32; nothing is returned. */
  constructor(name: string, parameterCount: number) {
    this.name = name;
    this.parameterCount = parameterCount;
  }

  local(type: ValueType): number {
    this.#locals.push(type);
    return this.parameterCount + this.#locals.length - 1;
  }

  get(local: number): this {
    return this.#emit(0x20, ...unsigned(local));
  }

  set(local: number): this {
    return this.#emit(0x21, ...unsigned(local));
  }

  i32Const(value: number): this {
    return this.#emit(0x41, ...signed(value));
  }

  i32Add(): this {
    return this.#emit(0x6a);
  }

  i32Sub(): this {
    return this.#emit(0x6b);
  }

  i32LessThanUnsigned(): this {
    return this.#emit(0x49);
  }

  /** Runs `body` again while the i32 that it leaves on the stack is not zero. */
  loop(body: () => void): this {
    this.#emit(0x03, NO_RESULT);
    body();
    return this.#emit(0x0d, 0, END);
  }

  /** The alignment written is a hint; 16 bytes. */
  v128Load(offset: number): this {
    return this.#emit(SIMD, 0x00, 4, ...unsigned(offset));
  }

  v128Store(offset: number): this {
    return this.#emit(SIMD, 0x0b, 4, ...unsigned(offset));
  }

  v128Splat(byte: number): this {
    return this.#emit(SIMD, 0x0c, ...new Array<number>(16).fill(byte));
  }

  v128And(): this {
    return this.#emit(SIMD, 0x4e);
  }

  v128Xor(): this {
    return this.#emit(SIMD, 0x51);
  }

  i16x8ShiftRightUnsigned(): this {
    return this.#emit(SIMD, ...unsigned(0x8d), 1);
  }

  /**
   * Table lookup of 16 bytes at once. The relaxed form equals `i8x16.swizzle` for indexes under
   * 16, and spares the saturating add by which the strict form zeroes the others.
   */
  i8x16RelaxedSwizzle(): this {
    return this.#emit(SIMD, ...unsigned(0x100));
  }

  encode(): number[] {
    const locals = vector(this.#locals.map((type) => [1, type]));
    const body = [...locals, ...this.#code, END];
    return [...unsigned(body.length), ...body];
  }

  #emit(...bytes: readonly number[]): this {
    this.#code.push(...bytes);
    return this;
  }
}

/** A module of exported functions over one imported memory, `host.memory`. */
export function assembleModule(
  functions: readonly FunctionBody[],
  memoryPages: number,
): Uint8Array {
  const types = functions.map((each) => [
    FUNCTION_TYPE,
    ...vector(new Array<number[]>(each.parameterCount).fill([I32])),
    ...vector([]),
  ]);
  const memory = [...text('host'), ...text('memory'), 0x02, 0x00, ...unsigned(memoryPages)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(SECTION.type, vector(types)),
    ...section(SECTION.import, vector([memory])),
    ...section(SECTION.function, vector(functions.map((_, index) => unsigned(index)))),
    ...section(
      SECTION.export,
      vector(functions.map((each, index) => [...text(each.name), 0x00, ...unsigned(index)])),
    ),
    ...section(SECTION.code, vector(functions.map((each) => each.encode()))),
  ]);
}
