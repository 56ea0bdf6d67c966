import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, VirtualClock } from '../base/mod.ts';
import { InstallWatch } from './install-watch.ts';

const { installMs, installWindowMs, installWindowBytes } = limits.shares;

function setUp(isFar = true) {
  const clock = new VirtualClock();
  const watch = new InstallWatch({ imageUri: 'registry/image', isFar, clock });
  const came = (bytesDone: number, phase: 'layers' | 'metadata' = 'layers') =>
    watch.progress({ phase, bytesDone, bytesTotal: 2 ** 40, chunks: 0, newChunks: 0 });
  const codeAfter = async (ms: number) => {
    await clock.advance(ms);
    return (watch.signal.reason as { code?: string } | undefined)?.code;
  };
  return { watch, came, codeAfter };
}

test('a registry that sends next to nothing cannot hold up an install', async () => {
  const { came, codeAfter } = setUp();
  came(installWindowBytes);
  assert.equal(await codeAfter(installWindowMs), undefined);
  came(installWindowBytes + 10);
  assert.equal(await codeAfter(installWindowMs), 'REGISTRY_UNAVAILABLE');
});

test('nor can one that never answers', async () => {
  const { codeAfter } = setUp();
  assert.equal(await codeAfter(installWindowMs), 'REGISTRY_UNAVAILABLE');
});

test('data that is already here has its own limited time', async () => {
  const { came, codeAfter } = setUp(false);
  came(10);
  assert.equal(await codeAfter(installMs - 1), undefined);
  assert.equal(await codeAfter(1), 'DEADLINE_EXCEEDED');
});

test('a disk that is being laid out is not waited for in bytes', async () => {
  const { watch, came, codeAfter } = setUp();
  came(10, 'metadata');
  assert.equal(await codeAfter(3 * installWindowMs), undefined);
  watch.close();
  assert.equal(await codeAfter(2 * installMs), undefined);
});

test('an install under way ends when the disk is about full', async () => {
  let isLow = false;
  const clock = new VirtualClock();
  const watch = new InstallWatch({ imageUri: 'i', isFar: false, clock, isDiskLow: () => isLow });
  const come = () =>
    watch.progress({ phase: 'layers', bytesDone: 1, bytesTotal: 9, chunks: 0, newChunks: 0 });
  come();
  assert.equal(watch.signal.aborted, false);
  isLow = true;
  come();
  assert.equal((watch.signal.reason as { code: string }).code, 'DISK_FULL');
});
