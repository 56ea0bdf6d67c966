import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isSluiceError } from '../../src/base/mod.ts';
import { umociUnpack } from '../support/oci-tools.ts';
import { treeOf } from '../support/oci-tree.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { flattenedDiskTree } from './disk-tree.ts';
import type { DocumentCase } from './document-case.ts';
import { configCases } from './document-cases/configs.ts';
import { indexCases } from './document-cases/indexes.ts';
import { manifestCases } from './document-cases/manifests.ts';
import { RawLayout } from './raw-layout.ts';
import { listen, registryOf } from './test-registry.ts';
import { isRewrite, readVerdicts, writeVerdicts } from './verdicts.ts';

const cases: readonly DocumentCase[] = [...configCases, ...manifestCases, ...indexCases];
const VERDICTS = new URL('./document.verdicts', import.meta.url);

/** The files of the image, or why it is refused. */
type Verdict = { readonly takes: readonly string[] } | { readonly refuses: string };

async function serve(t: TestContext, { build }: DocumentCase): Promise<string> {
  const layout = new RawLayout(temporaryDirectory(t, 'documents'));
  return `${await listen(t, registryOf(layout, build(layout)))}/app:latest`;
}

/** What comes out when skopeo copies the image to a layout and umoci unpacks that. */
async function askJudges(t: TestContext, each: DocumentCase): Promise<Verdict> {
  const image = await serve(t, each);
  const layout = join(temporaryDirectory(t, 'copied'), 'layout');
  const platform = ['--override-os', 'linux', '--override-arch', 'amd64'];
  const copy = ['copy', '-q', '--retry-times=0', '--src-tls-verify=false'];
  try {
    await runOrThrow('skopeo', [...platform, ...copy, `docker://${image}`, `oci:${layout}:latest`]);
    const tree = await treeOf(await umociUnpack(t, layout));
    return { takes: [...tree.keys()].filter((path) => path !== '/') };
  } catch (error) {
    const last = `${(error as Error).message}`.trim().split('\n').at(-1) ?? '';
    return {
      refuses: last.replaceAll(/127\.0\.0\.1:\d+|\/tmp\/[^ "]*|time="[^"]*"/g, '…').slice(-240),
    };
  }
}

async function flatten(t: TestContext, each: DocumentCase): Promise<Verdict> {
  try {
    const image = await serve(t, each);
    const { tree } = await flattenedDiskTree(image, temporaryDirectory(t, 'spool'));
    return { takes: Object.keys(tree).filter((path) => path !== '/') };
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return { refuses: error.code };
  }
}

if (isRewrite) {
  test('the verdicts of skopeo and umoci are written anew', async (t) => {
    const versions = [
      await runOrThrow('skopeo', ['--version']),
      await runOrThrow('umoci', ['--version']),
    ];
    const verdicts: Record<string, Verdict> = {};
    for (const each of cases) verdicts[each.name] = await askJudges(t, each);
    writeVerdicts(VERDICTS, {
      judge: versions.map((each) => each.trim()).join(', '),
      cases: verdicts,
    });
  });
}

test('every document of the table is read or refused as skopeo and umoci do, or a reason says why not', async (t) => {
  const { cases: verdicts } = readVerdicts<Verdict>(VERDICTS);
  assert.ok(cases.length >= 60, `${cases.length} cases`);
  assert.deepEqual(Object.keys(verdicts).sort(), cases.map((each) => each.name).sort());
  for (const each of cases) {
    await t.test(each.name, async (inner) => {
      const theirs = verdicts[each.name]!;
      const ours = await flatten(inner, each);
      if (each.refuses) assert.deepEqual(ours, { refuses: each.refuses });
      else assert.ok('takes' in ours, JSON.stringify(ours));
      const isSame = 'takes' in theirs ? isDeepEqual(ours, theirs) : 'refuses' in ours;
      if (each.why === undefined) assert.ok(isSame, JSON.stringify(theirs));
      else assert.ok(!isSame, 'the judges say the same: the reason is of no use');
      if (each.has) assert.deepEqual(ours, { takes: each.has });
    });
  }
});

function isDeepEqual(ours: Verdict, theirs: Verdict): boolean {
  return JSON.stringify(ours) === JSON.stringify(theirs);
}
