import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { GIB } from '../base/mod.ts';
import {
  BLOCK_SIZE_BYTES,
  BLOCKS_PER_GROUP,
  INODE_TABLE_BLOCKS,
  INODES_PER_GROUP,
} from './format.ts';
import { LOW_AREA_BLOCK, LOW_AREA_END_BLOCK, planGeometry } from './geometry.ts';

const endBlock = fc.integer({ min: LOW_AREA_END_BLOCK, max: (64 * GIB) / BLOCK_SIZE_BYTES });

test('tables and bitmaps overlap nothing, and there is room for writers', () => {
  fc.assert(
    fc.property(endBlock, fc.integer({ min: 11, max: 8_000_000 }), (end, inodes) => {
      const geometry = planGeometry(end, inodes);
      const ranges = [{ first: 0, count: 1 + geometry.groupDescriptorBlocks }];
      for (let group = 0; group < geometry.groups; group++) {
        ranges.push({ first: geometry.blockBitmap(group), count: 1 });
        ranges.push({ first: geometry.inodeBitmap(group), count: 1 });
        ranges.push({ first: geometry.inodeTable(group), count: INODE_TABLE_BLOCKS });
      }
      ranges.sort((a, b) => a.first - b.first);
      let at = 0;
      for (const { first, count } of ranges) {
        assert.ok(first >= at, `block ${first} is given twice`);
        at = first + count;
        assert.ok(at <= LOW_AREA_BLOCK || first >= end, 'data and directories are left alone');
      }
      const blocks = geometry.groups * BLOCKS_PER_GROUP;
      assert.ok(blocks - Math.max(at, end) >= GIB / 2 / BLOCK_SIZE_BYTES);
      assert.ok(geometry.groups * INODES_PER_GROUP >= inodes + INODES_PER_GROUP);
    }),
    { numRuns: propertyRuns(100) },
  );
});
