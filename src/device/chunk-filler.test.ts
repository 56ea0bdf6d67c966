import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHUNK_SIZE_BYTES,
  type Labels,
  limits,
  type Meter,
  noMeter,
  SluiceError,
  VirtualClock,
} from '../base/mod.ts';
import type { ChunkRef } from '../seal/mod.ts';
import { ChunkFiller, type NearTiers } from './chunk-filler.ts';
import type { Tier } from './device-counters.ts';
import type { LoopCommand } from './messages.ts';

const CHUNK = CHUNK_SIZE_BYTES;

/** A filler over a disk that has the chunks named `near…`, and an origin that answers when told. */
function bench(withNear = true) {
  const clock = new VirtualClock();
  const memoryBytes = Buffer.alloc(4 * CHUNK);
  const commands: LoopCommand[] = [];
  const counted: [name: string, value: number, labels: Labels][] = [];
  const meter: Meter = {
    ...noMeter,
    counter: (name) => ({ add: (by = 1, labels = {}) => void counted.push([name, by, labels]) }),
    histogram: (name) => ({
      observe: (value, labels = {}) => void counted.push([name, value, labels]),
    }),
  };
  const reads: string[] = [];
  let aheadNow = 0;
  const far = new Map<string, PromiseWithResolvers<Buffer>>();
  const near: NearTiers & { mostAhead: number; letGo: () => void } = {
    mostAhead: 0,
    letGo: () => {},
    readIntoSync: ({ name }, into) => {
      reads.push(`${name} at once`);
      if (!name.startsWith('near')) return undefined;
      into.fill(name.at(-1) ?? '');
      return 'slab';
    },
    readInto: async ({ name }, into) => {
      reads.push(`${name} ahead`);
      near.mostAhead = Math.max(near.mostAhead, ++aheadNow);
      await clock.sleep(10);
      aheadNow--;
      if (name === 'near broken') throw new Error('the disk is gone');
      if (!name.startsWith('near')) return undefined;
      into.fill(name.at(-1) ?? '');
      return 'slab';
    },
  };
  const filler = new ChunkFiller({
    ...{ memoryBytes, clock, meter },
    ...(withNear && { near }),
    source: {
      get: ({ name }: ChunkRef) => {
        reads.push(`${name} from afar`);
        const answer = Promise.withResolvers<Buffer>();
        far.set(name, answer);
        return answer.promise;
      },
    },
    tierOf: (): Tier => 'origin',
    command: (command) => commands.push(command),
  });
  const fill = (slot: number, name: string, ahead = false) =>
    filler.fill({ slot, name, rootId: 'r', ahead });
  const slotBytes = (slot: number) => memoryBytes.subarray(slot * CHUNK, (slot + 1) * CHUNK);
  return { clock, commands, counted, reads, near, far, fill, slotBytes };
}

test('a chunk of this host’s disk is in its slot a turn later, and in no other', async () => {
  const { clock, commands, counted, fill, slotBytes } = bench();
  fill(1, 'near a');
  assert.deepEqual(commands, [], 'whoever asks is not answered amid its call');
  await clock.advance(0);
  assert.deepEqual(commands, [{ type: 'filled', slot: 1, tier: 'slab' }]);
  assert.ok(slotBytes(1).equals(Buffer.alloc(CHUNK, 'a')));
  assert.ok(slotBytes(0).equals(Buffer.alloc(CHUNK)) && slotBytes(2).equals(Buffer.alloc(CHUNK)));
  assert.deepEqual(counted, [
    ['sluice_device_misses_total', 1, { waited: 'true' }],
    ['sluice_device_miss_seconds', 0, { tier: 'slab' }],
  ]);
});

test('who waits goes first, one a turn; what nobody waits for comes behind, a few at once', async () => {
  const { clock, commands, counted, reads, near, fill } = bench();
  const { nearReadsAhead } = limits.device;
  for (let n = 0; n < nearReadsAhead + 2; n++) fill(0, `near ${n}`, true);
  fill(1, 'near a');
  fill(2, 'near b');
  await clock.advance(5);
  const ahead = Array.from({ length: nearReadsAhead }, (_, n) => `near ${n} ahead`);
  assert.deepEqual(reads, ['near a at once', 'near b at once', ...ahead]);
  fill(3, 'near c');
  await clock.advance(0);
  assert.equal(reads.at(-1), 'near c at once', 'those ahead hold nobody up');
  await clock.advance(30);
  assert.equal(near.mostAhead, nearReadsAhead);
  assert.equal(commands.length, nearReadsAhead + 5);
  assert.equal(counted.filter(([, , { waited }]) => waited === 'false').length, nearReadsAhead + 2);
  const slowest = Math.max(...counted.map(([name, value]) => (/seconds/.test(name) ? value : 0)));
  assert.equal(slowest, 0.02, 'two rounds of ten milliseconds');
});

test('what no near tier has comes from afar', async () => {
  for (const ahead of [false, true]) {
    const { clock, commands, reads, far, fill, slotBytes } = bench();
    fill(2, 'far x', ahead);
    await clock.advance(20);
    assert.deepEqual(reads, [ahead ? 'far x ahead' : 'far x at once', 'far x from afar']);
    assert.deepEqual(commands, []);
    far.get('far x')?.resolve(Buffer.alloc(CHUNK, 'x'));
    await clock.advance(0);
    assert.deepEqual(commands, [{ type: 'filled', slot: 2, tier: 'origin' }]);
    assert.ok(slotBytes(2).equals(Buffer.alloc(CHUNK, 'x')));
  }
});

test('a chunk that cannot be had is told with its error; so is one of another length', async () => {
  const { clock, commands, counted, far, fill } = bench(false);
  fill(0, 'a');
  fill(1, 'b');
  fill(2, 'c');
  await clock.advance(0);
  far.get('a')?.reject(new SluiceError('CHUNK_MISSING', 'gone', { data: { chunk: 'a' } }));
  far.get('b')?.resolve(Buffer.alloc(CHUNK - 1));
  await clock.advance(0);
  const failures = commands.map((each) =>
    each.type === 'unfilled' ? [each.slot, each.failure.code] : assert.fail(each.type),
  );
  assert.deepEqual(failures, [
    [0, 'CHUNK_MISSING'],
    [1, 'CHUNK_CORRUPT'],
  ]);
  await clock.advance(limits.device.fetchTimeoutMs);
  const last = commands.at(-1);
  assert.ok(last?.type === 'unfilled' && last.failure.code === 'DEADLINE_EXCEEDED');
  const failed = counted.filter(([, , { tier }]) => tier === 'failed').map(([, value]) => value);
  assert.deepEqual(failed, [0, 0, limits.device.fetchTimeoutMs / 1000]);
});

test('chunks from afar come many at once, up to a limit', async () => {
  const { clock, reads, far, fill } = bench(false);
  const { missesInFlight } = limits.device;
  for (let n = 0; n < missesInFlight + 1; n++) fill(0, `${n}`);
  await clock.advance(0);
  assert.equal(reads.length, missesInFlight);
  far.get('0')?.resolve(Buffer.alloc(CHUNK));
  await clock.advance(0);
  assert.equal(reads.length, missesInFlight + 1);
});
