import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, limits, MIB, noLogger, VirtualClock } from '../base/mod.ts';
import { MemoryWatch, reclaimCount } from './memory-watch.ts';
import { parseMemAvailable, procMeminfo } from './proc-meminfo.ts';

test('as many sandboxes go as the lack calls for', () => {
  assert.equal(reclaimCount(600 * MIB, 512 * MIB), 0);
  assert.equal(reclaimCount(512 * MIB, 512 * MIB), 0);
  assert.equal(reclaimCount(512 * MIB - 1, 512 * MIB), 1);
  assert.equal(reclaimCount(0, 512 * MIB), 8);
});

test('memory is looked at again and again, until the watch is closed', async () => {
  const clock = new VirtualClock();
  const reclaimed: number[] = [];
  const readings = [1000 * MIB, 100 * MIB, 1000 * MIB];
  const watch = new MemoryWatch({
    memory: { availableBytes: async () => readings.shift() ?? 0 },
    lowBytes: 200 * MIB,
    reclaim: (count) => reclaimed.push(count),
    clock,
    logger: noLogger,
  });
  const pass = async () => {
    clock.jump(limits.worker.memoryWatchMs);
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let i = 0; i < 3; i++) await pass();
  assert.deepEqual(reclaimed, [2]);
  watch.close();
  await pass();
  assert.deepEqual(reclaimed, [2]);
});

test('one reading that fails is said, and the watch goes on', async () => {
  const clock = new VirtualClock();
  const reclaimed: number[] = [];
  const said: string[] = [];
  const readings = [() => Promise.reject(new Error('no /proc')), async () => 100 * MIB];
  const watch = new MemoryWatch({
    memory: { availableBytes: () => readings.shift()?.() ?? Promise.resolve(1000 * MIB) },
    lowBytes: 200 * MIB,
    reclaim: (count) => reclaimed.push(count),
    clock,
    logger: { ...noLogger, error: (_, message) => said.push(String(message)) },
  });
  for (let i = 0; i < 3; i++) await clock.advance(limits.worker.memoryWatchMs);
  assert.deepEqual(reclaimed, [2]);
  assert.deepEqual(said, ['the host’s memory cannot be read']);
  watch.close();
});

test('reads this host’s memory', async () => {
  const bytes = await procMeminfo.availableBytes();
  assert.ok(bytes > MIB && Number.isInteger(bytes));
  assert.equal(parseMemAvailable('MemTotal: 9 kB\nMemAvailable:       7 kB\n'), 7168);
  assert.throws(
    () => parseMemAvailable('MemTotal: 9 kB\n'),
    (e) => isSluiceError(e, 'HOST_LACKS'),
  );
});
