import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemClock, systemRandom, VirtualClock } from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import { rehearse, rehearseFilling } from './rehearsal.ts';

test('a rehearsal reads its disk and its start pack, and leaves nothing', async (t) => {
  const overlayDirectory = join(temporaryDirectory(t, 'rehearsal'), 'overlays');
  mkdirSync(overlayDirectory);
  const memory = new ChunkSlots(ChunkSlots.allocate(0));
  await rehearse({ memory, overlayDirectory, clock: systemClock, random: systemRandom });
  const held = Array.from({ length: memory.slotCount }, (_, slot) => memory.isReady(slot));
  assert.ok(held.every(Boolean), 'it has missed more than fits');
  assert.deepEqual(readdirSync(overlayDirectory), []);
});

test('who rehearses filling lets others in between, and ends when he is needed', async () => {
  const needed = new AbortController();
  let pauses = 0;
  class Counting extends VirtualClock {
    override async sleep(): Promise<void> {
      pauses++;
      if (pauses === 3) needed.abort();
    }
  }
  const clock = new Counting();
  await rehearseFilling({ clock, random: systemRandom }, needed.signal);
  assert.equal(pauses, 3);
});
