import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import { GIB, limits, MIB, noLogger, noMeter, VirtualClock } from '../base/mod.ts';
import { DiskGuard } from './disk-guard.ts';

const totalBytes = 100 * GIB;

function setUp(t: TestContext) {
  const stateDirectory = temporaryDirectory(t);
  const clock = new VirtualClock();
  let availableBytes = 50 * GIB;
  const guard = new DiskGuard({
    ...{ stateDirectory, clock, logger: noLogger, meter: noMeter },
    spaceOf: () => ({ availableBytes, totalBytes }),
  });
  t.after(() => guard.close());
  const when = async (bytes: number, holds: () => boolean) => {
    availableBytes = bytes;
    // The reserve is written by the real disk, which virtual time does not wait for.
    await until('the guard to see it', async () => {
      await clock.advance(limits.host.diskWatchMs);
      return holds();
    });
  };
  const reserve = join(stateDirectory, 'reserve');
  const isWhole = () =>
    existsSync(reserve) && statSync(reserve).size === limits.host.stateReserveBytes;
  return { guard, when, reserve, isWhole };
}

test('a disk that fills up refuses what takes room, before it is full', async (t) => {
  const { guard, when } = setUp(t);
  assert.equal(guard.isLow, false);
  await when(4 * GIB, () => guard.isLow);
  await when(6 * GIB, () => !guard.isLow);
});

test('deletes on a full disk use the reserve, which is restored when there is room', async (t) => {
  const { when, reserve, isWhole } = setUp(t);
  await when(50 * GIB, isWhole);
  await when(MIB, () => !existsSync(reserve));
  await when(50 * GIB, isWhole);
});

test('any file system that a region writes to counts', (t) => {
  const stateDirectory = temporaryDirectory(t);
  const guardOf = (spoolBytes: number) => {
    const guard = new DiskGuard({
      ...{ stateDirectory, others: ['/spool'], logger: noLogger, meter: noMeter },
      clock: new VirtualClock(),
      spaceOf: (path) => ({
        totalBytes,
        availableBytes: path === '/spool' ? spoolBytes : 50 * GIB,
      }),
    });
    t.after(() => guard.close());
    return guard;
  };
  assert.equal(guardOf(50 * GIB).isLow, false);
  assert.equal(guardOf(1 * GIB).isLow, true);
});
