import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { hostHas } from '../../test/support/host.ts';
import {
  flattenedTree,
  type LayerEntry,
  layoutOf,
  umociTree,
} from '../../test/support/oci-judge.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';

/** However slow the machine is. */
const IMAGES = propertyRuns(6);

// Few names, so that layers meet each other's files.
const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const metadata = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o4711, 0o1777),
  uid: fc.constantFrom(0, 1000, 100_000),
  mtimeSeconds: fc.integer({ min: -5000, max: 1_500_000_000 }),
  mtimeNanoseconds: fc.nat(999_999_999),
});
const content = fc
  .tuple(fc.constantFrom('x', 'yz', 'content '), fc.constantFrom(0, 1, 600, 70_000))
  .map(([text, times]) => Buffer.from(text.repeat(times)));

const entry: fc.Arbitrary<LayerEntry> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ path, metadata, content })
      .map(({ path, metadata, content }) => ({ path, ...metadata, content })),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({ path, metadata })
      .map(({ path, metadata }) => ({ path, ...metadata, kind: 'directory' as const })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ path, metadata, linkTarget: fc.oneof(path, fc.constantFrom('/a', '../b', '/')) })
      .map(({ metadata, ...rest }) => ({
        ...rest,
        ...metadata,
        kind: 'symlink' as const,
        mode: 0o777,
      })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ path, linkTarget: path, kind: fc.constant('hardlink' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.option(path, { nil: '' }),
        fc.constantFrom('.wh.a', '.wh.b', '.wh.c', '.wh..wh..opq'),
      )
      .map(([directory, mark]) => ({ path: directory === '' ? mark : `${directory}/${mark}` })),
  },
);

const layer = fc.array(entry, { maxLength: 10 });

test('random layers flatten to what umoci unpacks', async (t: TestContext) => {
  if (!hostHas(t, 'root', 'loop', 'tool:umoci', 'tool:e2fsck', 'tool:getfattr')) return;
  let compared = 0;
  const compare = async (inner: TestContext, layers: LayerEntry[][]) => {
    const root: LayerEntry = { path: './', kind: 'directory', mtimeSeconds: 1 };
    const layout = await layoutOf(inner, [[root], ...layers]);
    const theirs = await umociTree(inner, layout).catch(() => undefined);
    // What umoci cannot unpack, a hard link to nothing for one, is judged in hostile.test.ts.
    if (theirs === undefined) return;
    const ours = await flattenedTree(inner, layout);
    assert.deepEqual(withoutClockOf(theirs, ours), withoutClockOf(theirs, theirs));
    compared++;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (layers) => {
      if (compared >= IMAGES) return;
      let failure: unknown;
      // A test of its own, so that its mounts go when it ends.
      await t.test('layers', (inner) =>
        compare(inner, layers).catch((error: unknown) => {
          failure = error;
        }),
      );
      if (failure) throw failure;
    }),
    { numRuns: 1000 },
  );
  assert.equal(compared, IMAGES);
});

type Tree = Awaited<ReturnType<typeof umociTree>>;

/** Later than any time that the layers have. */
const UNPACKED_AFTER_NS = 1_600_000_000n * 1_000_000_000n;

/**
 * Where umoci makes a directory that no entry makes, that one and its parent get the time of
 * unpacking; a deterministic disk cannot.
 */
function withoutClockOf(theirs: Tree, tree: Tree): Readonly<Record<string, unknown>> {
  const nodes = [...tree].map(([path, node]) => {
    const theirMtime = BigInt(theirs.get(path)?.['mtime'] ?? 0);
    const isDirectory = `${node['mode']}`.startsWith('04');
    return [path, isDirectory && theirMtime > UNPACKED_AFTER_NS ? { ...node, mtime: '' } : node];
  });
  return Object.fromEntries(nodes);
}
