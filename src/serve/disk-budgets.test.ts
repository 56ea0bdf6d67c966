import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GIB, limits, MIB } from '../base/mod.ts';
import { diskBudgets } from './disk-budgets.ts';
import { diskSpaceOf, floorOf } from './disk-guard.ts';

const disk = (availableGib: number) => ({
  availableBytes: availableGib * GIB,
  totalBytes: 100 * GIB,
});

test('what is promised to all parts together is never more than the disk has above the floor', () => {
  for (const available of [6, 10, 40, 95]) {
    for (const slabGrowth of [0, 1 * GIB, 5 * GIB, 20 * GIB]) {
      const space = disk(available);
      const { scratchBytes, logsBytes, spoolFileBytes } = diskBudgets(space, slabGrowth, {});
      const room = Math.max(0, space.availableBytes - floorOf(space) - slabGrowth);
      const promised = scratchBytes + logsBytes + 2 * spoolFileBytes;
      assert.ok(promised <= room + 64 * MIB, `${available} GiB, ${slabGrowth}`);
    }
  }
});

test('below the floor nothing is promised, above it a share', () => {
  assert.equal(diskBudgets(disk(1), 0, {}).scratchBytes, 0);
  const { scratchBytes } = diskBudgets(disk(50), 0, {});
  assert.equal(scratchBytes, Math.floor(45 * GIB * limits.host.scratchPart));
  const { availableBytes, totalBytes } = diskSpaceOf('/');
  assert.ok(availableBytes > 0 && availableBytes < totalBytes);
});

test('a slab that will grow leaves less for /tmp', () => {
  const before = diskBudgets(disk(60), 0, {}).scratchBytes;
  assert.ok(diskBudgets(disk(60), 20 * GIB, {}).scratchBytes < before - 10 * GIB);
});

test('what an operator sets counts', () => {
  const chosen = { scratchBytes: 7, logsBytes: 8, spoolBytes: 18 };
  const budgets = { scratchBytes: 7, logsBytes: 8, spoolFileBytes: 9 };
  assert.deepEqual(diskBudgets(disk(60), 0, chosen), budgets);
});

test('logs and flatteners have no more of a large disk than they can use', () => {
  const budgets = diskBudgets({ availableBytes: 9000 * GIB, totalBytes: 9000 * GIB }, 0, {});
  assert.equal(budgets.logsBytes, limits.logs.totalBytes);
  assert.equal(budgets.spoolFileBytes, 2 * limits.image.flattenedSizeBytes);
});
