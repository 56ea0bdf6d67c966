import assert from 'node:assert/strict';
import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { hostHas, hostLacks } from '../support/host.ts';
import { buildTestImage } from '../support/node-image.ts';
import { run, runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';

const sluice = join(repositoryRoot, 'bin/sluice');

describe('the image commands', { skip: hostLacks('namespaces') }, () => {
  const scratch = scratchDirectory('image-commands');
  const data = join(scratch.path, 'data');
  let image: string;
  const json = async (...words: string[]) =>
    JSON.parse(await runOrThrow(sluice, [...words, '--json', '--data', data]));

  before(async () => {
    image = await buildTestImage(join(scratch.path, 'image'));
  });
  after(() => scratch.remove());

  test('flatten writes one disk, whoever runs it and when, that e2fsck finds clean', async (t) => {
    if (!hostHas(t, 'tool:e2fsck')) return;
    const disks = ['one', 'two'].map((name) => join(scratch.path, name));
    for (const disk of disks)
      await runOrThrow(sluice, ['image', 'flatten', image, '--output', disk]);
    await runOrThrow('e2fsck', ['-fn', disks[0] ?? '']);
    await runOrThrow('cmp', disks);
    const again = await run(sluice, ['image', 'flatten', image, '--output', disks[0] ?? '']);
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, /it exists/);
  });

  test('add stores an image once: the second time no chunk is new', async () => {
    const first = await json('image', 'add', image);
    assert.ok(first.newChunks > 100 && first.newBytes === first.newChunks * 524_288);
    assert.equal(first.chunks, first.diskBytes / 524_288);
    const second = await json('image', 'add', image);
    assert.deepEqual([second.newChunks, second.newBytes], [0, 0]);
    const facts = await json('image', 'inspect', second.manifestId);
    assert.equal(facts.sharedBytes, facts.storedBytes);
    assert.ok(facts.manifestBytes <= 96 * facts.chunks);
    assert.deepEqual(
      [facts.diskBytes, facts.account, facts.chunks - facts.zeroChunks >= first.newChunks],
      [first.diskBytes, '000000000000', true],
    );
    const listed = await json('image', 'list');
    assert.equal(listed.length, 2);
    await json('image', 'remove', first.manifestId);
    assert.equal((await json('image', 'list')).length, 1);
    const gone = await run(sluice, ['image', 'inspect', first.manifestId, '--data', data]);
    assert.deepEqual([gone.status, gone.stderr.includes(first.manifestId)], [1, true]);
  });

  test('a layer cut short names the layer, and leaves neither manifest nor spool', async () => {
    const before = (await json('image', 'list')).length;
    const broken = join(scratch.path, 'broken');
    await runOrThrow('cp', ['-r', image.slice('oci:'.length, -':latest'.length), broken]);
    const blobs = join(broken, 'blobs/sha256');
    const sizes = (await runOrThrow('ls', ['-S', blobs])).trim().split('\n');
    const largest = sizes[0] ?? '';
    truncateSync(join(blobs, largest), 1_000_000);
    const failed = await run(sluice, ['image', 'add', `oci:${broken}:latest`, '--data', data]);
    assert.equal(failed.status, 1);
    assert.ok(failed.stderr.includes(largest), failed.stderr);
    assert.equal((await json('image', 'list')).length, before);
    assert.deepEqual(readdirSync(join(data, 'spool')), []);
  });

  test('a blob of the right size and the wrong content is a digest mismatch', async () => {
    const swapped = join(scratch.path, 'swapped');
    await runOrThrow('cp', ['-r', image.slice('oci:'.length, -':latest'.length), swapped]);
    const blobs = join(swapped, 'blobs/sha256');
    const [largest = ''] = (await runOrThrow('ls', ['-S', blobs])).trim().split('\n');
    await runOrThrow('sh', [
      '-c',
      'printf "\\377" | dd of="$0" bs=1 seek=200 conv=notrunc status=none',
      join(blobs, largest),
    ]);
    const failed = await run(sluice, ['image', 'add', `oci:${swapped}:latest`, '--data', data]);
    assert.equal(failed.status, 1);
    assert.ok(failed.stderr.includes(largest), failed.stderr);
  });

  test('what is not an image is an error that names it', async () => {
    const file = join(scratch.path, 'file');
    writeFileSync(file, 'not a tar archive');
    const cases: [string, RegExp][] = [
      [`oci:${scratch.path}/nothing:latest`, /nothing/],
      [`${image.slice(0, -'latest'.length)}no-such-tag`, /no-such-tag/],
      [`oci-archive:${file}`, /file/],
      [`docker-archive:${file}`, /file/],
      ['UPPER CASE', /UPPER CASE/],
      ['127.0.0.1:1/name:tag', /127\.0\.0\.1:1/],
    ];
    for (const [reference, expected] of cases) {
      const { status, stderr } = await run(sluice, ['image', 'add', reference, '--data', data]);
      assert.equal(status, 1, reference);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace for a person');
    }
  });

  test('a full disk is an error that says so, and a later try succeeds', async (t) => {
    if (!hostHas(t, 'root')) return;
    const small = join(scratch.path, 'small');
    await runOrThrow('mkdir', [small]);
    await runOrThrow('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', small]);
    try {
      const words = ['image', 'add', image, '--data', join(small, 'data')];
      const failed = await run(sluice, words);
      assert.equal(failed.status, 1);
      assert.match(failed.stderr, /no space left|ENOSPC|full/i);
      assert.deepEqual(
        await runOrThrow(sluice, ['image', 'list', '--data', join(small, 'data')]),
        'no images\n',
      );
      await runOrThrow('mount', ['-o', 'remount,size=400m', small]);
      await runOrThrow(sluice, words);
      assert.ok(existsSync(join(small, 'data/origin')));
    } finally {
      await runOrThrow('umount', [small]);
    }
  });
});
