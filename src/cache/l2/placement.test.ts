import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { Placement } from './placement.ts';

const names = Array.from({ length: 20_000 }, (_, i) => hash('sha256', String(i)));
const nodeNames = (count: number) => Array.from({ length: count }, (_, i) => `10.0.0.${i}:9500`);

function placesOf(placement: Placement, name: string): string[] {
  return Array.from({ length: placement.width }, (_, index) => placement.nodeOf(name, index)!);
}

test('each stripe of a chunk is on another node while there are enough', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 0, max: 6 }), (width, more) => {
      const placement = new Placement(nodeNames(width + more), width);
      for (const name of names.slice(0, 500)) {
        assert.equal(new Set(placesOf(placement, name)).size, width);
      }
    }),
    { numRuns: propertyRuns(20) },
  );
});

test('no node holds more than a quarter above the average', () => {
  for (const count of [6, 7, 20, 50]) {
    const placement = new Placement(nodeNames(count), 5);
    const loads = new Map<string, number>();
    for (const name of names) {
      for (const node of placesOf(placement, name)) loads.set(node, (loads.get(node) ?? 0) + 1);
    }
    const average = (names.length * 5) / count;
    // The bound is on partitions; names fall into these with a few per cent of noise.
    for (const [node, load] of loads) {
      assert.ok(load < 1.25 * 1.08 * average, `${node} of ${count}: ${load / average}`);
    }
    assert.equal(loads.size, count, 'every node takes part');
  }
});

test('it does not matter in which order the nodes are listed, or how often', () => {
  const nodes = nodeNames(9);
  const a = new Placement(nodes, 6);
  const b = new Placement([...nodes.toReversed(), nodes[0]!], 6);
  for (const name of names.slice(0, 1000)) assert.deepEqual(placesOf(a, name), placesOf(b, name));
});

/** The share of stripes that are elsewhere, and of chunks that lost more than `m` of theirs. */
function moved(before: Placement, after: Placement, m: number) {
  let stripes = 0;
  let chunks = 0;
  for (const name of names) {
    const [was, is] = [placesOf(before, name), placesOf(after, name)];
    const gone = was.filter((node, index) => node !== is[index]).length;
    stripes += gone;
    if (gone > m) chunks++;
  }
  return { stripes: stripes / (names.length * before.width), chunks: chunks / names.length };
}

test('a node that joins or leaves takes its share with it and little more', () => {
  for (const count of [8, 20, 40]) {
    const few = new Placement(nodeNames(count), 5);
    const many = new Placement(nodeNames(count + 1), 5);
    const share = 1 / (count + 1);
    for (const change of [moved(few, many, 1), moved(many, few, 1)]) {
      assert.ok(change.stripes > 0.5 * share, 'the change is seen at all');
      assert.ok(change.stripes < 2 * share, `${count} nodes: ${change.stripes} of ${share}`);
      assert.ok(change.chunks < share, `${count} nodes: ${change.chunks} of chunks lost`);
    }
  }
});

test('fewer nodes than stripes share them evenly, and no nodes means no place', () => {
  const places = placesOf(new Placement(nodeNames(2), 5), names[0]!);
  const onFirst = places.filter((node) => node === places[0]).length;
  assert.ok(onFirst === 2 || onFirst === 3);
  assert.equal(new Placement([], 5).nodeOf(names[0]!, 0), undefined);
});
