import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { SeededRandom } from '../base/mod.ts';
import { BLOCKS_PER_CHUNK } from './format.ts';
import { type PackItem, packItems } from './packing.ts';

const item = (path: string, blocks: number): PackItem => ({ path, blocks });
const describe = (bins: readonly (readonly PackItem[])[]): string[] =>
  bins.map((bin) => bin.map(({ path, blocks }) => `${path}:${blocks}`).join(' ')).sort();

/** 60 packages of 5 to 75 files, as `package/directory/file`. */
function packages(): PackItem[] {
  const random = new SeededRandom(7);
  const items: PackItem[] = [];
  for (let p = 0; p < 60; p++) {
    const files = 5 + Math.floor(random.float() * 70);
    for (let f = 0; f < files; f++) {
      const blocks = 1 + Math.floor(random.float() ** 4 * 120);
      items.push(item(`usr/share/package-${p}/${f % 3}/file-${f}`, blocks));
    }
  }
  return items;
}

const ownerOf = (path: string): string | undefined => /package-\d+/.exec(path)?.[0];

test('every item is in one bin and no bin is fuller than a chunk, in any order of items', () => {
  const items = fc.uniqueArray(
    fc.tuple(fc.stringMatching(/^[ab]{1,3}(\/[ab]{1,3}){0,3}$/), fc.integer({ min: 1, max: 127 })),
    { selector: ([path]) => path, maxLength: 200 },
  );
  fc.assert(
    fc.property(items, fc.boolean(), (pairs, owned) => {
      const all = pairs.map(([path, blocks]) => item(path, blocks));
      const owner = owned
        ? (path: string) => (path.startsWith('a') ? path[1] : undefined)
        : ownerOf;
      const bins = packItems(all, owner);
      assert.deepEqual(new Set(bins.flat()), new Set(all));
      assert.equal(bins.flat().length, all.length);
      for (const bin of bins) {
        const filled = bin.reduce((sum, { blocks }) => sum + blocks, 0);
        assert.ok(bin.length > 0 && filled <= BLOCKS_PER_CHUNK);
      }
      assert.deepEqual(describe(packItems(all.toReversed(), owner)), describe(bins));
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('bins are at least three quarters full on the whole', () => {
  const items = packages();
  const bins = packItems(items, ownerOf);
  const blocks = items.reduce((sum, each) => sum + each.blocks, 0);
  assert.ok(blocks / (bins.length * BLOCKS_PER_CHUNK) > 0.75);
});

test('another package changes a few bins besides its own', () => {
  const before = describe(packItems(packages(), ownerOf));
  const more = Array.from({ length: 40 }, (_, i) => item(`usr/share/package-33b/${i}`, 2));
  const after = describe(
    packItems([...packages(), ...more], (path) => {
      return path.includes('package-33b') ? 'package-33b' : ownerOf(path);
    }),
  );
  const fresh = after.filter((bin) => !before.includes(bin));
  assert.ok(fresh.length >= 1 && fresh.length <= 5, `${fresh.length} bins changed`);
});

test('a file that grows by a block changes at most three bins', () => {
  const items = packages();
  const before = new Set(describe(packItems(items, ownerOf)));
  let worst = 0;
  for (let i = 0; i < items.length; i += 37) {
    const grown = items.map((each, k) => (k === i ? { ...each, blocks: each.blocks + 1 } : each));
    const fresh = describe(packItems(grown, ownerOf)).filter((bin) => !before.has(bin));
    worst = Math.max(worst, fresh.length);
  }
  assert.ok(worst <= 3, `${worst} bins changed`);
});
