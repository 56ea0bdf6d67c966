import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { SeededRandom } from '../../base/mod.ts';
import { Slab, type StripeFile } from './slab.ts';

const SLOT_BYTES = 256;
const SLOTS = 4;
const keyOf = (id: number) => ({
  chunkName: hash('sha256', String(id)),
  k: 4,
  m: 2,
  index: id % 6,
});
const stripeOf = (id: number) => new SeededRandom(id).bytes(1 + ((id * 37) % SLOT_BYTES));

/** Two files in memory whose writes stop to reach the disk after so many bytes, as in a crash. */
class Disk {
  readonly files = new Map<string, Buffer>();
  bytesLeft = Number.POSITIVE_INFINITY;

  readonly open = async (path: string): Promise<StripeFile> => {
    if (!this.files.has(path)) this.files.set(path, Buffer.alloc(0));
    const file = {
      read: async (into: Buffer, offset: number, length: number, position: number) => {
        const held = this.files.get(path)!.subarray(position, position + length);
        held.copy(into, offset);
        return { bytesRead: held.length, buffer: into };
      },
      write: async (from: Buffer, offset: number, length: number, position: number) => {
        const reaching = Math.min(length, this.bytesLeft);
        this.bytesLeft -= reaching;
        const before = this.files.get(path)!;
        const after = Buffer.alloc(Math.max(before.length, position + reaching));
        before.copy(after);
        from.copy(after, position, offset, offset + reaching);
        this.files.set(path, after);
        return { bytesWritten: length, buffer: from };
      },
      truncate: async () => void this.files.set(path, Buffer.alloc(0)),
      close: async () => {},
    };
    return file as unknown as StripeFile;
  };
}

const openSlab = (disk: Disk, slotBytes = SLOT_BYTES) =>
  Slab.open({ directory: '/tmp', slotBytes, slotCount: SLOTS, openSlabFile: disk.open });

test('after a crash at any byte a slot gives a stripe that was written there, or nothing', async () => {
  const operations = fc.array(
    fc.record({ slot: fc.nat({ max: SLOTS - 1 }), id: fc.nat({ max: 50 }), clear: fc.boolean() }),
    { minLength: 1, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(operations, fc.nat({ max: 4000 }), async (steps, crashAfterBytes) => {
      const disk = new Disk();
      const { slab } = await openSlab(disk);
      disk.bytesLeft = crashAfterBytes;
      for (const { slot, id, clear } of steps) {
        if (clear) await slab.clear(slot);
        else await slab.write(slot, keyOf(id), stripeOf(id));
      }
      const crashed = disk.bytesLeft === 0;
      disk.bytesLeft = Number.POSITIVE_INFINITY;
      const { slab: again, entries } = await openSlab(disk);
      for (const [slot, entry] of entries) {
        const stripe = await again.read(slot, entry);
        const written = steps.filter((step) => step.slot === slot && !step.clear);
        const match = written.find(({ id }) => keyOf(id).chunkName === entry.key.chunkName);
        assert.ok(match, 'an entry is of a stripe that was written there');
        if (stripe) assert.ok(stripe.equals(stripeOf(match.id)));
        else assert.ok(crashed, 'only a crash leaves an entry without its stripe');
      }
      if (crashed) return;
      const last = new Map(steps.map((step) => [step.slot, step]));
      const held = [...last.values()].filter(({ clear }) => !clear).map(({ slot }) => slot);
      assert.deepEqual([...entries.keys()].sort(), held.sort(), 'nothing is lost without one');
    }),
    { numRuns: propertyRuns(200) },
  );
});

test('a slab of another slot size, or of no slab, starts empty', async () => {
  const disk = new Disk();
  const { slab } = await openSlab(disk);
  await slab.write(1, keyOf(1), stripeOf(1));
  assert.equal((await openSlab(disk)).entries.size, 1);
  assert.equal((await openSlab(disk, 512)).entries.size, 0);
  assert.equal((await openSlab(disk, 512)).entries.size, 0);

  const other = new Disk();
  other.files.set('/tmp/stripes.index', new SeededRandom(1).bytes(1000));
  assert.equal((await openSlab(other)).entries.size, 0);
});
