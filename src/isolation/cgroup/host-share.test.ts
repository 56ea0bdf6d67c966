import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '../../base/mod.ts';
import { readHostCapacity, shareOf } from './host-share.ts';

test('sandboxes leave process numbers and memory to the host, whichever the host lacks first', () => {
  const memoryBytes = 8000 * MIB;
  const few = shareOf({ pidMax: 32_768, threadsMax: 100_000, memoryBytes });
  assert.deepEqual(few, { processes: 24_576, memoryBytes: 7000 * MIB });
  const less = shareOf({ pidMax: 4_194_304, threadsMax: 10_000, memoryBytes });
  assert.equal(less.processes, 7500);
});

test('reads what this host has', () => {
  const { pidMax, threadsMax, memoryBytes } = readHostCapacity();
  for (const each of [pidMax, threadsMax]) assert.ok(Number.isSafeInteger(each) && each > 300);
  assert.ok(memoryBytes > 64 * MIB);
});
