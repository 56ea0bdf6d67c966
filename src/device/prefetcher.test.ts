import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../base/mod.ts';
import { Prefetcher } from './prefetcher.ts';

const { packBlocksAtOnce, prefetchAtOnce, prefetchAtOnceWithDemand } = limits.device;

/** A miss table that notes what is asked for; `present` and `full` are the test's to set. */
class Asked {
  demand = false;
  full = false;
  readonly present = new Set<number>();
  readonly chunks: number[] = [];

  prefetch(chunk: number): 'asked' | 'present' | 'full' {
    if (this.full) return 'full';
    if (this.present.has(chunk)) return 'present';
    this.chunks.push(chunk);
    return 'asked';
  }
}

const log = Uint32Array.from({ length: 100 }, (_, index) => 1000 - index);

test('keeps a number of chunks in flight, in the log’s order, and adds one for each that arrives', () => {
  const asked = new Asked();
  const prefetcher = new Prefetcher(asked, log, log.length);
  prefetcher.advance();
  prefetcher.advance();
  assert.deepEqual(asked.chunks, [...log.subarray(0, prefetchAtOnce)]);
  prefetcher.settled();
  assert.deepEqual(asked.chunks, [...log.subarray(0, prefetchAtOnce + 1)]);
});

test('has fewer in flight while a read waits', () => {
  assert.ok(prefetchAtOnceWithDemand < prefetchAtOnce);
  const asked = new Asked();
  asked.demand = true;
  const prefetcher = new Prefetcher(asked, log, log.length);
  prefetcher.advance();
  assert.equal(asked.chunks.length, prefetchAtOnceWithDemand);
  asked.demand = false;
  prefetcher.advance();
  assert.equal(asked.chunks.length, prefetchAtOnce);
  asked.demand = true;
  for (let came = 0; came < prefetchAtOnce - prefetchAtOnceWithDemand; came++) {
    prefetcher.settled();
    assert.equal(asked.chunks.length, prefetchAtOnce, 'nothing more until few are in flight');
  }
  prefetcher.settled();
  assert.equal(asked.chunks.length, prefetchAtOnce + 1);
});

test('fetches no more of a log than allowed, and is done when all of it has arrived', () => {
  const asked = new Asked();
  const prefetcher = new Prefetcher(asked, log, 20);
  prefetcher.advance();
  for (let came = 0; came < 20; came++) {
    assert.ok(!prefetcher.done);
    prefetcher.settled();
  }
  assert.ok(prefetcher.done);
  assert.deepEqual(asked.chunks, [...log.subarray(0, 20)]);
});

test('skips what is there, waits while memory is full, and stops when told to', () => {
  const asked = new Asked();
  asked.present.add(log[0]!).add(log[2]!);
  asked.full = true;
  const prefetcher = new Prefetcher(asked, log, 5);
  prefetcher.advance();
  assert.deepEqual(asked.chunks, []);
  assert.ok(!prefetcher.done);
  asked.full = false;
  prefetcher.advance();
  assert.deepEqual(asked.chunks, [log[1], log[3], log[4]]);

  const stopped = new Prefetcher(asked, log, log.length);
  stopped.stop();
  stopped.advance();
  assert.equal(asked.chunks.length, 3);
  assert.ok(stopped.done);
});

test('of a start pack more is in flight, whoever waits', () => {
  const asked = new Asked();
  asked.demand = true;
  const prefetcher = new Prefetcher(asked, log, log.length, log.length);
  prefetcher.advance();
  assert.equal(asked.chunks.length, packBlocksAtOnce);
});
