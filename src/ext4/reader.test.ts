import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { isSluiceError, SeededRandom } from '../base/mod.ts';
import { directory, file, MemoryDisk, plain, writeLayers } from './disk.fixture.ts';
import { LOW_AREA_BLOCK } from './geometry.ts';
import { type DiskSource, readDisk } from './reader.ts';

let disk: MemoryDisk;

before(async () => {
  const noise = new SeededRandom(5).bytes(600_000);
  const steps = [directory('d')];
  for (let i = 0; i < 300; i++) steps.push(file(`d/${'name'.repeat(9)}-${i}`, noise.subarray(i)));
  const sparse = Array.from({ length: 20 }, (_, i) => ({ offset: i * 20_000, length: 100 }));
  const add = { ...plain, path: 'sparse', kind: 'file', sizeBytes: 500_000, sparse } as const;
  steps.push({ add, content: noise.subarray(0, 2000) });
  const xattrs = new Map([['user.large', noise.subarray(0, 500)]]);
  steps.push(file('attributes', noise.subarray(0, 9), { xattrs }));
  steps.push({ add: { ...plain, path: 'link', kind: 'symlink', linkTarget: 't'.repeat(99) } });
  ({ disk } = await writeLayers([steps]));
});

/** Reads all that a disk says, with the first bytes of each file. */
async function readAll(source: DiskSource): Promise<number> {
  let entries = 0;
  for await (const entry of readDisk(source)) {
    entries++;
    for await (const piece of entry.content()) {
      assert.ok(piece.length <= 524_288);
      break;
    }
  }
  return entries;
}

test('garbled metadata is read or fails with DISK_MALFORMED, and never hangs or crashes', async () => {
  const metadata = [...disk.chunks.keys()].filter((index) => index * 128 <= LOW_AREA_BLOCK + 128);
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), {
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(flips, async (places) => {
      const garbled = new MemoryDisk();
      garbled.sizeBytes = disk.sizeBytes;
      for (const [index, chunk] of disk.chunks) garbled.chunks.set(index, chunk);
      for (const [where, offset, value] of places) {
        const index = metadata[where % metadata.length]!;
        const chunk = Buffer.from(garbled.chunks.get(index)!);
        // What is set is what matters: most of a table is empty.
        const used = chunk.findIndex((byte, i) => i >= offset % chunk.length && byte !== 0);
        chunk[Math.max(0, used)] = value;
        garbled.chunks.set(index, chunk);
      }
      try {
        assert.ok((await readAll(garbled)) >= 1);
      } catch (error) {
        assert.ok(isSluiceError(error, 'DISK_MALFORMED'), String(error));
      }
    }),
    { numRuns: propertyRuns(8) },
  );
});

test('bytes that are not a disk are refused', async () => {
  for (const sizeBytes of [0, 100, 1 << 20]) {
    const empty = new MemoryDisk();
    empty.sizeBytes = sizeBytes;
    await assert.rejects(readAll(empty), (error) => isSluiceError(error, 'DISK_MALFORMED'));
  }
  assert.equal(await readAll(disk), 305);
});
