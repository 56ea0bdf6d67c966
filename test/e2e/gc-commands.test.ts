import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { buildTestImage } from '../support/node-image.ts';
import { run, runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';

const sluice = join(repositoryRoot, 'bin/sluice');

interface RootRow {
  readonly rootId: string;
  readonly state: string;
  readonly chunks: number;
  readonly liveManifests: number;
}

describe('the gc commands', { skip: hostLacks('namespaces') }, () => {
  const scratch = scratchDirectory('gc-commands');
  const data = join(scratch.path, 'data');
  let kept: { manifestId: string; newChunks: number };
  const json = async (...words: string[]) =>
    JSON.parse(await runOrThrow(sluice, [...words, '--json', '--data', data]));
  const roots = async (): Promise<RootRow[]> => (await json('gc', 'status')).roots;

  before(async () => {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const other = await buildTestImage(join(scratch.path, 'other'), {
      'var/task/other': 'x'.repeat(9999),
    });
    kept = await json('image', 'add', image);
    const removed = await json('image', 'add', other);
    await json('image', 'remove', removed.manifestId);
  });
  after(() => scratch.remove());

  test('rotate, migrate, expire and delete move what is kept to a new root, and free the rest', async () => {
    const [first] = await roots();
    const { rootId } = await json('gc', 'rotate');
    const early = await json('gc', 'expire', '--settle-seconds', '0');
    assert.deepEqual([early.expired, early.referenced[0].manifests], [[], 1]);
    const report = await json('gc', 'migrate');
    assert.deepEqual([report.manifestsCopied, report.chunksCopied], [1, kept.newChunks]);
    assert.deepEqual((await json('gc', 'expire')).expired, [], 'a root settles first');
    const expired = await json('gc', 'expire', '--settle-seconds', '0');
    assert.deepEqual(expired.expired, [first?.rootId]);
    assert.deepEqual((await json('gc', 'delete')).deleted, [], 'a root dwells first');
    const deleted = await json('gc', 'delete', '--dwell-seconds', '0');
    assert.deepEqual(deleted.deleted, [first?.rootId]);
    const now = await roots();
    assert.deepEqual(
      now
        .filter((root) => root.state === 'active')
        .map((root) => [root.rootId, root.liveManifests]),
      [[rootId, 1]],
    );
    assert.equal((await json('image', 'inspect', kept.manifestId)).root, rootId);
  });

  test('it needs no key service: the key files may be absent', async () => {
    rmSync(join(data, 'keys'), { recursive: true });
    assert.equal((await run(sluice, ['gc', 'rotate', '--data', data])).status, 0);
    const report = await json('gc', 'migrate');
    assert.equal(report.manifestsCopied, 1);
  });
});
