import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type FileHandle, open, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { until } from '../../../test/support/until.ts';
import { CHUNK_SIZE_BYTES, limits, MIB, systemClock, VirtualClock } from '../../base/mod.ts';
import { nameOf } from '../../seal/mod.ts';
import { ChunkSlab, type SlabFile } from './chunk-slab.ts';
import { SlabTier } from './slab-tier.ts';

interface Chunk {
  readonly name: string;
  readonly bytes: Buffer;
}

function chunk(): Chunk {
  const bytes = randomBytes(CHUNK_SIZE_BYTES);
  return { name: nameOf(bytes), bytes };
}

/** What the slab has of a chunk, if anything. */
function read(slab: ChunkSlab, name: string): Buffer | undefined {
  const bytes = Buffer.alloc(CHUNK_SIZE_BYTES);
  return slab.readIntoSync(name, bytes) ? bytes : undefined;
}

const chunks = (count: number) => Array.from({ length: count }, chunk);

async function slabIn(
  t: TestContext,
  directory: string,
  slots = 64,
  clock = new VirtualClock(1e6),
) {
  const slab = await ChunkSlab.open({ directory, limitBytes: slots * CHUNK_SIZE_BYTES, clock });
  t.after(() => slab.close());
  return slab;
}

test('a slab answers what was put, also after a restart', async (t) => {
  const directory = temporaryDirectory(t, 'slab');
  const some = chunks(5);
  const slab = await slabIn(t, directory);
  assert.equal(read(slab, some[0]!.name), undefined);
  for (const { name, bytes } of some) assert.equal(await slab.put(name, bytes), 'stored');
  assert.equal(await slab.put(some[0]!.name, some[0]!.bytes), 'present');
  const restarted = await slabIn(t, directory);
  for (const { name, bytes } of some) {
    assert.ok(bytes.equals(read(restarted, name)!));
    const into = Buffer.alloc(CHUNK_SIZE_BYTES);
    assert.equal(await restarted.readInto(name, into), true);
    assert.ok(bytes.equals(into));
  }
});

test('a slab of another size starts empty and leaves no file of the old one', async (t) => {
  const directory = temporaryDirectory(t, 'slab');
  const { name, bytes } = chunk();
  await (await slabIn(t, directory)).put(name, bytes);
  const other = await slabIn(t, directory, 128);
  assert.equal(read(other, name), undefined);
  assert.equal((await readdir(directory)).length, 3);
});

test('flipped, torn and cut bytes are misses, and are fetched again', async (t) => {
  const directory = temporaryDirectory(t, 'slab');
  const slab = await slabIn(t, directory, 16);
  const [flipped, torn, cut] = chunks(3) as [Chunk, Chunk, Chunk];
  for (const { name, bytes } of [flipped, torn, cut]) await slab.put(name, bytes);
  const path = join(directory, 'chunks-1.slab');
  const file = await open(path, 'r+');
  t.after(() => file.close());
  await file.write(Buffer.from([flipped.bytes[77]! ^ 1]), 0, 1, 77);
  await file.write(Buffer.alloc(4096), 0, 4096, CHUNK_SIZE_BYTES + 8192);
  await truncate(path, 3 * CHUNK_SIZE_BYTES - 1);
  for (const { name } of [flipped, torn, cut]) assert.equal(read(slab, name), undefined);
  assert.equal(await slab.put(torn.name, torn.bytes), 'stored');
  assert.ok(torn.bytes.equals(read(slab, torn.name)!));
  assert.equal(await slab.put(cut.name, cut.bytes), 'stored');
  await truncate(path, 0);
  assert.equal(await slab.readInto(cut.name, Buffer.alloc(CHUNK_SIZE_BYTES)), false);
});

/** Least recently used, for comparison: what it would still hold of `wanted` after these uses. */
function keptByLru(uses: readonly string[], slots: number, wanted: readonly Chunk[]): number {
  const held = new Set<string>();
  for (const name of uses) {
    held.delete(name);
    held.add(name);
    if (held.size > slots) held.delete(held.values().next().value!);
  }
  return wanted.filter(({ name }) => held.has(name)).length;
}

test('a storm of one-off chunks leaves the hot set, which plain LRU would lose', async (t) => {
  const clock = new VirtualClock(1e6);
  const slots = 64;
  const slab = await slabIn(t, temporaryDirectory(t, 'slab'), slots, clock);
  const hot = chunks(24);
  const uses: string[] = [];
  const use = async ({ name, bytes }: Chunk) => {
    uses.push(name);
    clock.jump(2000);
    if (!read(slab, name)) await slab.put(name, bytes);
  };
  for (let round = 0; round < 2; round++) for (const each of hot) await use(each);
  for (const each of chunks(4 * slots)) await use(each);
  assert.equal(keptByLru(uses, slots, hot), 0);
  assert.equal(hot.filter(({ name }) => read(slab, name)).length, hot.length);
});

test('a working set that comes again is kept, though others filled its sets long before', async (t) => {
  const clock = new VirtualClock(1e6);
  const slab = await slabIn(t, temporaryDirectory(t, 'slab'), 16, clock);
  const start = async (set: readonly Chunk[]) => {
    clock.jump(60_000);
    let hits = 0;
    for (const { name, bytes } of set) {
      if (read(slab, name)) hits++;
      else await slab.put(name, bytes);
    }
    return hits;
  };
  const [others, wanted] = [chunks(15), chunks(6)];
  for (let round = 0; round < 2; round++) await start(others);
  await start(wanted);
  await start(wanted);
  assert.equal(await start(wanted), wanted.length);
});

test('a full disk makes the slab pass chunks through, and it recovers', async (t) => {
  const directory = temporaryDirectory(t, 'slab');
  const clock = new VirtualClock(1e6);
  let full = true;
  const openFile = async (path: string): Promise<SlabFile> => {
    const file = await open(path, 'w+');
    const write = async (...args: Parameters<FileHandle['write']>) => {
      if (full && path.endsWith('.slab')) {
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      }
      return await (file.write as (...all: unknown[]) => unknown)(...args);
    };
    return {
      fd: file.fd,
      read: file.read.bind(file),
      write: write as FileHandle['write'],
      close: () => file.close(),
    };
  };
  const slab = await ChunkSlab.open({ directory, limitBytes: 8 * MIB, clock, openFile });
  t.after(() => slab.close());
  const { name, bytes } = chunk();
  assert.equal(await slab.put(name, bytes), 'skipped');
  full = false;
  assert.equal(await slab.put(name, bytes), 'skipped', 'it does not try again at once');
  clock.stepWall(-3600_000);
  clock.jump(60_000);
  assert.equal(await slab.put(name, bytes), 'stored');
  assert.ok(bytes.equals(read(slab, name)!));
});

test('chunks from farther tiers are kept once they stop coming, and read locally from then on', async (t) => {
  const clock = new VirtualClock(1e6);
  const slab = await slabIn(t, temporaryDirectory(t, 'slab'), 64, clock);
  const tier = new SlabTier({ slab, clock });
  const some = chunks(3);
  const source = tier.keeping({
    get: async ({ name }) => some.find((each) => each.name === name)!.bytes,
  });
  const into = Buffer.alloc(CHUNK_SIZE_BYTES);
  for (const { name } of some) {
    await source.get({ rootId: 'root', name });
    clock.jump(limits.cache.slabQuietMs - 1);
    assert.equal(tier.readIntoSync({ rootId: 'root', name }, into), false);
  }
  clock.jump(1);
  for (const { name, bytes } of some) {
    while (!(await tier.readInto({ rootId: 'root', name }, into))) await systemClock.sleep(5);
    assert.ok(bytes.equals(into));
  }
});

test('chunks that come faster than the disk takes them are all kept: further ones are requested later', async () => {
  const kept: string[] = [];
  const slow = { readIntoSync: () => false, readInto: async () => false };
  const slab = {
    ...slow,
    put: async (name: string) => {
      await new Promise(setImmediate);
      kept.push(name);
      return 'stored' as const;
    },
  };
  const clock = new VirtualClock(1e6);
  const tier = new SlabTier({ slab, clock });
  const bytes = Buffer.alloc(CHUNK_SIZE_BYTES);
  const source = tier.keeping({ get: async () => bytes });
  const names = Array.from({ length: 4 * limits.cache.slabWritesWaiting }, (_, i) => `${i}`);
  await Promise.all(names.map((name) => source.get({ rootId: 'root', name })));
  // All but those in line, and the one that is being written.
  assert.ok(kept.length >= names.length - limits.cache.slabWritesWaiting - 1);
  await until('all is written', () => {
    clock.jump(limits.cache.slabQuietMs);
    return kept.length === names.length;
  });
});

test('a disk that accepts no writes delays nobody', async () => {
  const clock = new VirtualClock(1e6);
  const slab = {
    ...{ readIntoSync: () => false, readInto: async () => false },
    put: () => new Promise<never>(() => {}),
  };
  const tier = new SlabTier({ slab, clock });
  const source = tier.keeping({ get: async () => Buffer.alloc(CHUNK_SIZE_BYTES) });
  const asked = Array.from({ length: 2 * limits.cache.slabWritesWaiting }, (_, i) =>
    source.get({ rootId: 'root', name: `${i}` }),
  );
  const answered = Promise.all(asked);
  clock.jump(limits.cache.slabRoomMs);
  assert.equal((await answered).length, asked.length);
});

test('many processes that write over each other never read a wrong byte', async (t) => {
  const directory = temporaryDirectory(t, 'slab');
  const script = `
    import assert from 'node:assert/strict';
    import { ChunkSlab } from ${JSON.stringify(import.meta.resolve('./chunk-slab.ts'))};
    import { SeededRandom, systemClock } from ${JSON.stringify(import.meta.resolve('../../base/mod.ts'))};
    import { nameOf } from ${JSON.stringify(import.meta.resolve('../../seal/mod.ts'))};
    const [directory, seed] = process.argv.slice(1);
    const slab = await ChunkSlab.open({ directory, limitBytes: 16 << 19, clock: systemClock });
    const random = new SeededRandom(Number(seed));
    const all = Array.from({ length: 24 }, (_, i) => {
      const bytes = Buffer.alloc(1 << 19, i + 1);
      return { name: nameOf(bytes), bytes };
    });
    let hits = 0;
    const endMs = systemClock.monotonicMs() + 1000;
    while (systemClock.monotonicMs() < endMs) {
      const { name, bytes } = all[Math.floor(random.float() * all.length)];
      const into = Buffer.alloc(1 << 19);
      const got = slab.readIntoSync(name, into);
      if (got) assert.ok(into.equals(bytes));
      else await slab.put(name, bytes);
      hits += got ? 1 : 0;
    }
    assert.ok(hits > 0);
  `;
  const workers = [1, 2, 3].map((seed) =>
    spawn(process.execPath, ['--input-type=module', '-e', script, directory, `${seed}`], {
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  );
  const codes = await Promise.all(workers.map((each) => once(each, 'exit')));
  assert.deepEqual(
    codes.map(([code]) => code),
    [0, 0, 0],
  );
});
