import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isSluiceError, toSluiceError } from '../../src/base/mod.ts';
import { umociUnpack } from '../support/oci-tools.ts';
import { treeOf } from '../support/oci-tree.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { flattenedDiskTree } from './disk-tree.ts';
import { RawLayout } from './raw-layout.ts';
import type { Node, TarCase } from './tar-case.ts';
import { attributeCases } from './tar-cases/attributes.ts';
import { endCases, sparseCases } from './tar-cases/ends.ts';
import { formatCases } from './tar-cases/formats.ts';
import { layerCases } from './tar-cases/layers.ts';
import { nameCases } from './tar-cases/names.ts';
import { isRewrite, readVerdicts, writeVerdicts } from './verdicts.ts';

const cases: readonly TarCase[] = [
  ...formatCases,
  ...nameCases,
  ...attributeCases,
  ...layerCases,
  ...endCases,
  ...sparseCases,
];
const VERDICTS = new URL('./tar.verdicts', import.meta.url);

type Tree = Record<string, Node>;
type Verdict =
  | { readonly takes: Tree; readonly warnings?: readonly string[] }
  | { readonly refuses: string };

/** Later than any time that a case has: umoci gives it to directories that no member makes. */
const UNPACKED_AFTER_NS = 1_750_000_000n * 1_000_000_000n;
const usual: Node = { owner: '0:0', mtime: '1700000000000000000' };

/** Without what most paths have; `*` for a time that the judge's clock made. */
function brief(tree: ReadonlyMap<string, Node> | Tree): Tree {
  const entries = tree instanceof Map ? [...tree] : Object.entries(tree);
  return Object.fromEntries(
    entries.map(([path, node]) => {
      const fields = Object.entries(node).filter(([name, value]) => usual[name] !== value);
      const isClock =
        BigInt(node['mtime'] ?? 0) > UNPACKED_AFTER_NS &&
        !`${node['mtime']}`.startsWith('4294967296');
      return [path, { ...Object.fromEntries(fields), ...(isClock && { mtime: '*' }) }];
    }),
  );
}

function withoutClockOf(theirs: Tree, ours: Tree): Tree {
  return Object.fromEntries(
    Object.entries(ours).map(([path, node]) =>
      theirs[path]?.['mtime'] === '*' ? [path, { ...node, mtime: '*' }] : [path, node],
    ),
  );
}

function layoutOf(t: TestContext, { layers }: TarCase): string {
  const layout = new RawLayout(temporaryDirectory(t, 'layout'));
  layout.image(layers);
  return layout.directory;
}

async function askUmoci(t: TestContext, each: TarCase): Promise<Verdict> {
  try {
    return { takes: brief(await treeOf(await umociUnpack(t, layoutOf(t, each)))) };
  } catch (error) {
    const last = `${(error as Error).message}`.trim().split('\n').at(-1) ?? '';
    return { refuses: last.replaceAll(/\/tmp\/[^ "]*/g, '…').slice(-200) };
  }
}

async function flatten(t: TestContext, each: TarCase): Promise<Verdict> {
  try {
    const spool = join(temporaryDirectory(t, 'spool'), 'spool');
    const { tree, warnings } = await flattenedDiskTree(`oci:${layoutOf(t, each)}`, spool);
    return { takes: brief(tree), warnings };
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return { refuses: toSluiceError(error).code };
  }
}

if (isRewrite) {
  test('the verdicts of umoci are written anew', async (t) => {
    const judge = (await runOrThrow('umoci', ['--version'])).trim();
    const verdicts: Record<string, Verdict> = {};
    for (const each of cases) verdicts[each.name] = await askUmoci(t, each);
    writeVerdicts(VERDICTS, { judge, cases: verdicts });
  });
}

test('every tar of the table is taken or refused as umoci does, or a reason says why not', async (t) => {
  const { cases: verdicts } = readVerdicts<Verdict>(VERDICTS);
  assert.ok(cases.length >= 120, `${cases.length} cases`);
  assert.deepEqual(Object.keys(verdicts).sort(), cases.map((each) => each.name).sort());
  for (const each of cases) {
    await t.test(each.name, async (inner) => {
      const theirs = verdicts[each.name]!;
      const ours = await flatten(inner, each);
      if (each.refuses) assert.deepEqual(ours, { refuses: each.refuses });
      else assert.ok('takes' in ours, JSON.stringify(ours));
      const same =
        'takes' in theirs && 'takes' in ours
          ? difference(theirs.takes, withoutClockOf(theirs.takes, ours.takes))
          : 'takes' in theirs === 'takes' in ours
            ? undefined
            : JSON.stringify(theirs);
      if (each.why === undefined) assert.equal(same, undefined);
      else assert.ok(same, 'the judge says the same: the reason is of no use');
      if (each.warns) {
        const warnings = 'takes' in ours ? (ours.warnings ?? []) : [];
        assert.equal(warnings.length, 1);
        assert.ok(warnings[0]?.includes(each.warns), warnings[0]);
      }
      for (const [path, node] of Object.entries(each.has ?? {})) {
        assert.ok('takes' in ours);
        if (node === null) assert.equal(ours.takes[path], undefined);
        else assert.partialDeepStrictEqual(ours.takes[path], node);
      }
    });
  }
});

function difference(theirs: Tree, ours: Tree): string | undefined {
  try {
    assert.deepEqual(ours, theirs);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
