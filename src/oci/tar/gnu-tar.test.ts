import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../../test/support/host.ts';
import { type ReadEntry, readAll } from '../../../test/support/oci-tar.ts';
import { temporaryDirectory } from '../../../test/support/temporary.ts';

async function sparseFile(directory: string): Promise<Buffer> {
  const file = await open(join(directory, 'sparse'), 'w+');
  for (let i = 0; i < 40; i++) await file.write(`data ${i}`, i * 65_536 + 4096);
  await file.truncate(5_000_001);
  await file.close();
  return readFileSync(join(directory, 'sparse'));
}

function expand(entry: ReadEntry): Buffer {
  const whole = Buffer.alloc(entry.sizeBytes);
  let at = 0;
  for (const { offset, length } of entry.sparse ?? [{ offset: 0, length: entry.sizeBytes }]) {
    entry.bytes.copy(whole, offset, at, at + length);
    at += length;
  }
  return whole;
}

const sparseFormats = [
  '--format=gnu',
  '--sparse-version=0.0',
  '--sparse-version=0.1',
  '--sparse-version=1.0',
];
for (const format of sparseFormats) {
  test(`sparse files as GNU tar writes them with ${format}`, async (t: TestContext) => {
    if (!hostHas(t, 'tool:tar')) return;
    const directory = temporaryDirectory(t, 'sparse');
    const content = await sparseFile(directory);
    writeFileSync(join(directory, 'after'), 'after');
    mkdirSync(join(directory, 'empty'));
    writeFileSync(join(directory, 'hole'), '');
    truncateSync(join(directory, 'hole'), 3_000_000);
    const archive = join(directory, 'archive.tar');
    const posix = format.startsWith('--sparse-version') ? ['--format=posix'] : [];
    const names = ['sparse', 'hole', 'after', 'empty'];
    execFileSync('tar', ['-S', ...posix, format, '-cf', archive, '-C', directory, ...names]);
    const entries = await readAll(createReadStream(archive, { highWaterMark: 1000 }));
    assert.deepEqual(
      entries.map(({ path, sizeBytes }) => [path.replace(/\/$/, ''), sizeBytes]),
      [
        ['sparse', 5_000_001],
        ['hole', 3_000_000],
        ['after', 5],
        ['empty', 0],
      ],
    );
    assert.ok(expand(entries[0]!).equals(content));
    assert.ok(entries[0]!.bytes.length < 1_000_000, 'the holes are not stored');
    assert.ok(expand(entries[1]!).equals(Buffer.alloc(3_000_000)));
    assert.equal(`${entries[2]!.bytes}`, 'after');
  });
}

for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
  test(`long names and links as GNU tar writes them with --format=${format}`, async (t) => {
    if (!hostHas(t, 'tool:tar')) return;
    const directory = temporaryDirectory(t, 'names');
    const long = format === 'v7' ? 60 : format === 'ustar' ? 120 : 250;
    const folder = `${'d'.repeat(format === 'v7' ? 20 : 90)}`;
    mkdirSync(join(directory, folder));
    const name = `${folder}/${'n'.repeat(Math.min(long, 100))}`;
    writeFileSync(join(directory, name), 'content');
    const archive = join(directory, 'archive.tar');
    // The file comes again as a hard link to itself, whose long target ustar cannot say.
    const paths = format === 'ustar' ? [folder] : [folder, name];
    execFileSync('tar', [`--format=${format}`, '-cf', archive, '-C', directory, ...paths]);
    const entries = await readAll(createReadStream(archive));
    assert.deepEqual(
      entries.map(({ path, kind, linkTarget }) => [path, kind, linkTarget]),
      [
        [`${folder}/`, 'directory', undefined],
        [name, 'file', undefined],
        [name, 'hardlink', name],
      ].slice(0, 1 + paths.length),
    );
    assert.equal(`${entries[1]?.bytes}`, 'content');
  });
}
