import type { DiskString } from './entry.ts';
import { HASH_SEED } from './format.ts';

type Mix = (x: number, y: number, z: number) => number;

/** Order in which each round takes the eight words, its rotations, its function and constant. */
const rounds: { words: number[]; rotations: number[]; mix: Mix; constant: number }[] = [
  {
    words: [0, 1, 2, 3, 4, 5, 6, 7],
    rotations: [3, 7, 11, 19],
    mix: (x, y, z) => z ^ (x & (y ^ z)),
    constant: 0,
  },
  {
    words: [1, 3, 5, 7, 0, 2, 4, 6],
    rotations: [3, 5, 9, 13],
    mix: (x, y, z) => ((x & y) + ((x ^ y) & z)) | 0,
    constant: 0x5a827999,
  },
  {
    words: [3, 7, 2, 6, 1, 5, 0, 4],
    rotations: [3, 9, 11, 15],
    mix: (x, y, z) => x ^ y ^ z,
    constant: 0x6ed9eba1,
  },
];

const WORDS = 8;
const words = new Int32Array(WORDS);
const state = new Int32Array(4);

/** The next 32 bytes of the name as eight words, padded with its remaining length. */
function loadWords(name: DiskString, start: number): void {
  const remaining = name.length - start;
  const pad = Math.imul(remaining, 0x01010101);
  let value = pad;
  let at = 0;
  const end = Math.min(remaining, WORDS * 4);
  for (let i = 0; i < end; i++) {
    value = (name.charCodeAt(start + i) + (value << 8)) | 0;
    if (i % 4 === 3) {
      words[at++] = value;
      value = pad;
    }
  }
  if (at < WORDS) words[at++] = value;
  while (at < WORDS) words[at++] = pad;
}

function mixWords(): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (const round of rounds) {
    for (let i = 0; i < WORDS; i++) {
      const word = (words[round.words[i]!]! + round.constant) | 0;
      const sum = (a + round.mix(b, c, d) + word) | 0;
      const shift = round.rotations[i % 4]!;
      a = d;
      d = c;
      c = b;
      b = (sum << shift) | (sum >>> (32 - shift));
    }
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}

/**
 * The half-MD4 hash (bytes unsigned) by which ext4 orders an indexed directory; the lowest bit is
 * clear, and the value that means end-of-directory never comes out. Linux `fs/ext4/hash.c`.
 */
export function directoryHash(name: DiskString): { major: number; minor: number } {
  state.set(HASH_SEED);
  for (let start = 0; start < name.length; start += WORDS * 4) {
    loadWords(name, start);
    mixWords();
  }
  const major = (state[1]! & ~1) >>> 0;
  return { major: major === 0xfffffffe ? 0xfffffffc : major, minor: state[2]! >>> 0 };
}
