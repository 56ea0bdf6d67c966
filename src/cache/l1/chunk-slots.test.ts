import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_SIZE_BYTES } from '../../base/mod.ts';
import { ChunkSlots } from './chunk-slots.ts';

const SLOTS = 32;
const slots = () => new ChunkSlots(ChunkSlots.allocate(SLOTS * CHUNK_SIZE_BYTES));

function bring(memory: ChunkSlots, name: string, nowMs: number): number {
  const found = memory.find(name);
  if (found >= 0) {
    memory.touch(found, nowMs);
    return found;
  }
  const slot = memory.reserve(name);
  if (slot >= 0) memory.ready(slot, nowMs);
  return slot;
}

/** Plain LRU over the same references, to compare with. */
class PlainLru {
  readonly #names = new Set<string>();

  bring(name: string): void {
    this.#names.delete(name);
    this.#names.add(name);
    if (this.#names.size <= SLOTS) return;
    for (const oldest of this.#names) {
      this.#names.delete(oldest);
      break;
    }
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}

test('a storm of one-off starts leaves the hot set in memory; plain LRU loses all of it', () => {
  const memory = slots();
  const lru = new PlainLru();
  const hot = Array.from({ length: 20 }, (_, index) => `hot-${index}`);
  const storm = Array.from({ length: 10 * SLOTS }, (_, index) => `once-${index}`);
  let nowMs = 0;
  for (const name of [...hot, ...hot, ...storm]) {
    nowMs += 5000;
    bring(memory, name, nowMs);
    lru.bring(name);
  }
  assert.equal(hot.filter((name) => memory.find(name) >= 0).length, hot.length);
  assert.equal(hot.filter((name) => lru.has(name)).length, 0);
});

test('a burst of reads of one chunk is one use', () => {
  const memory = slots();
  for (let index = 0; index < SLOTS; index++) bring(memory, `twice-${index}`, index);
  for (let index = 0; index < SLOTS - 1; index++) bring(memory, `twice-${index}`, 10_000 + index);
  const last = memory.find(`twice-${SLOTS - 1}`);
  for (let read = 0; read < 128; read++) memory.touch(last, SLOTS - 1 + read);
  bring(memory, 'new', 20_000);
  assert.equal(memory.find(`twice-${SLOTS - 1}`), -1);
});

test('a chunk that was evicted and comes back is known to have been used before', () => {
  const memory = slots();
  bring(memory, 'returns', 0);
  for (let index = 0; index < SLOTS; index++) bring(memory, `a-${index}`, 5000 + index);
  assert.equal(memory.find('returns'), -1);
  bring(memory, 'returns', 20_000);
  for (let index = 0; index < 3 * SLOTS; index++) bring(memory, `b-${index}`, 30_000 + index);
  assert.ok(memory.find('returns') >= 0);
});

test('pinned and filling slots stay; when all are, none is given', () => {
  const memory = slots();
  const pinned = bring(memory, 'pinned', 0);
  memory.pin(pinned);
  const filling = memory.reserve('filling');
  for (let index = 0; index < 5 * SLOTS; index++) bring(memory, `x-${index}`, 5000 * index);
  assert.equal(memory.find('pinned'), pinned);
  assert.equal(memory.find('filling'), filling);
  for (let slot = 0; slot < SLOTS; slot++) if (slot !== filling) memory.pin(slot);
  assert.equal(memory.reserve('one more'), -1);
  memory.abandon(filling);
  assert.equal(memory.reserve('one more'), filling);
});

test('a slot given to another chunk gets a new generation', () => {
  const memory = slots();
  const slot = memory.reserve('first');
  const before = memory.generation(slot);
  memory.ready(slot, 0);
  assert.equal(memory.generation(slot), before);
  for (let index = 0; index < SLOTS; index++) bring(memory, `x-${index}`, 1 + index);
  assert.equal(memory.find('first'), -1);
  assert.notEqual(memory.generation(slot), before);
});
