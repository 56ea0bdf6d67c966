import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { inverse, invert, multiply } from './galois.ts';
import { parityRows } from './generator-matrix.ts';
import { kernelModule } from './kernel-program.ts';
import { MEMORY_PAGES } from './simd-kernel.ts';

/** Changes only when the kernel's source does; print the digest and look at the diff before it. */
const MODULE_SHA256 = '6453b18680e8fe66a36ce4f69a1c03174848bb246fd7b9c604ec21adfb145f80';

test('the module is the same bytes wherever it is assembled', () => {
  const digest = createHash('sha256').update(kernelModule(MEMORY_PAGES)).digest('hex');
  assert.equal(digest, MODULE_SHA256);
  assert.deepEqual(kernelModule(MEMORY_PAGES), kernelModule(MEMORY_PAGES));
});

test("the module is valid to V8 and to WABT's validator", (t) => {
  const bytes = kernelModule(MEMORY_PAGES);
  assert.ok(WebAssembly.validate(bytes));
  if (!hostHas(t, 'tool:wasm-validate')) return;
  const file = join(temporaryDirectory(t, 'wasm'), 'kernel.wasm');
  writeFileSync(file, bytes);
  execFileSync('wasm-validate', ['--enable-relaxed-simd', file]);
});

test('GF(256): every element times its inverse is one, and products distribute over sums', () => {
  for (let a = 1; a < 256; a++) assert.equal(multiply(a, inverse(a)), 1);
  for (let a = 0; a < 256; a += 3) {
    for (let b = 0; b < 256; b += 5) {
      assert.equal(multiply(a, b), multiply(b, a));
      assert.equal(multiply(a, b ^ 0x53), multiply(a, b) ^ multiply(a, 0x53));
    }
  }
  // A product worked out by hand: x^7 · x = x^8 = x^4 + x^3 + x^2 + 1.
  assert.equal(multiply(0x80, 2), 0x1d);
});

test('a singular matrix has no inverse, and every 2 × 2 minor of the parity rows has one', () => {
  assert.equal(invert([Uint8Array.of(1, 2), Uint8Array.of(1, 2)]), undefined);
  const rows = parityRows(8, 4);
  for (let r = 0; r < 4; r++) {
    for (let s = r + 1; s < 4; s++) {
      for (let c = 0; c < 8; c++) {
        for (let d = c + 1; d < 8; d++) {
          const minor = [r, s].map((row) => Uint8Array.of(rows[row]![c]!, rows[row]![d]!));
          assert.ok(invert(minor), `rows ${r},${s} columns ${c},${d}`);
        }
      }
    }
  }
});
