import { assert } from '../base/mod.ts';

/** x^8 + x^4 + x^3 + x^2 + 1, the polynomial of RAID-6 and of most Reed-Solomon libraries. */
const POLYNOMIAL = 0x11d;

const exponentOf = new Uint8Array(256);
const powerOf = new Uint8Array(512);

for (let exponent = 0, power = 1; exponent < 255; exponent++) {
  powerOf[exponent] = power;
  powerOf[exponent + 255] = power;
  exponentOf[power] = exponent;
  power = power & 0x80 ? (power << 1) ^ POLYNOMIAL : power << 1;
}

/** Product in GF(256). */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powerOf[exponentOf[a]! + exponentOf[b]!]!;
}

/** Multiplicative inverse in GF(256); zero has none. */
export function inverse(a: number): number {
  assert(a !== 0, 'zero has no inverse in GF(256)');
  return powerOf[255 - exponentOf[a]!]!;
}

/** Rows of field elements. */
export type Matrix = readonly Uint8Array[];

/** The inverse of a square matrix, by Gauss-Jordan elimination; undefined when it is singular. */
export function invert(matrix: Matrix): Matrix | undefined {
  const size = matrix.length;
  const rows = matrix.map((row, r) => {
    assert(row.length === size, 'only a square matrix has an inverse');
    const wide = new Uint8Array(2 * size);
    wide.set(row);
    wide[size + r] = 1;
    return wide;
  });
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, r) => r >= column && row[column] !== 0);
    if (pivot < 0) return undefined;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    scale(rows[column]!, inverse(rows[column]![column]!));
    for (let r = 0; r < size; r++) {
      if (r !== column) addMultiple(rows[r]!, rows[column]!, rows[r]![column]!);
    }
  }
  return rows.map((row) => row.slice(size));
}

function scale(row: Uint8Array, factor: number): void {
  for (let i = 0; i < row.length; i++) row[i] = multiply(row[i]!, factor);
}

function addMultiple(row: Uint8Array, other: Uint8Array, factor: number): void {
  for (let i = 0; i < row.length; i++) row[i]! ^= multiply(other[i]!, factor);
}
