import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostHas } from '../../test/support/host.ts';
import { runOrThrow } from '../../test/support/run.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { readZipContent, readZipDirectory, writeZip, type ZipEntry } from './mod.ts';

async function contentOf(bytes: Buffer, entry: ZipEntry): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readZipContent(bytes, entry)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

const members = [
  { name: 'bootstrap', mode: 0o755, content: Buffer.from('#!/bin/sh\n') },
  { name: 'dir/naïve.txt', content: Buffer.from('line\n'.repeat(10_000)) },
  { name: 'link', isSymlink: true, mode: 0o777, content: Buffer.from('dir/naïve.txt') },
  { name: 'empty', content: Buffer.alloc(0) },
];

test('what is written is read back: names, modes, links, content', async () => {
  const bytes = writeZip(members);
  assert.ok(bytes.length < 2000, 'it is deflated');
  const entries = readZipDirectory(bytes);
  assert.deepEqual(
    entries.map(({ name, kind, mode }) => [Buffer.from(name, 'latin1').toString(), kind, mode]),
    [
      ['bootstrap', 'file', 0o755],
      ['dir/naïve.txt', 'file', 0o644],
      ['link', 'symlink', 0o777],
      ['empty', 'file', 0o644],
    ],
  );
  for (const [index, entry] of entries.entries()) {
    assert.deepEqual(await contentOf(bytes, entry), members[index]?.content);
  }
});

const judge = `
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
facts = [[i.filename, i.external_attr >> 16, archive.read(i).decode()] for i in archive.infolist()]
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as other:
    for name, mode, text in facts:
        info = zipfile.ZipInfo(name, (2024, 2, 29, 12, 34, 56))
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        with other.open(info, "w", force_zip64=True) as member:
            member.write(text.encode())
print(json.dumps(facts))
`;

test("Python's zipfile reads what is written, and what it writes is read", async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const directory = temporaryDirectory(t);
  const [ours, theirs] = [join(directory, 'ours.zip'), join(directory, 'theirs.zip')];
  writeFileSync(ours, writeZip(members));
  const facts = JSON.parse(await runOrThrow('python3', ['-c', judge, ours, theirs]));
  assert.deepEqual(
    facts.map(([name, , text]: string[]) => [name, text]),
    members.map(({ name, content }) => [name, content.toString()]),
  );
  const bytes = readFileSync(theirs);
  const entries = readZipDirectory(bytes);
  assert.equal(entries[0]?.mtimeSeconds, Date.UTC(2024, 1, 29, 12, 34, 56) / 1000);
  assert.deepEqual(
    entries.map(({ kind, mode }) => [kind, mode]),
    [
      ['file', 0o755],
      ['file', 0o644],
      ['symlink', 0o777],
      ['file', 0o644],
    ],
  );
  for (const [index, entry] of entries.entries()) {
    assert.deepEqual(await contentOf(bytes, entry), members[index]?.content);
  }
});

test('names that lead out are refused, whatever they are made of', () => {
  for (const name of ['../x', '/etc/passwd', 'a/../../x', 'a\0b']) {
    const bytes = writeZip([{ name, content: Buffer.from('x') }]);
    assert.throws(
      () => readZipDirectory(bytes),
      (error) => isSluiceError(error, 'CODE_INVALID') && error.message.includes('leads out'),
    );
  }
  const [entry] = readZipDirectory(writeZip([{ name: './a//b', content: Buffer.from('x') }]));
  assert.equal(entry?.name, 'a/b');
});

test('a member that unpacks to more than it claims is cut off there', async () => {
  const bytes = writeZip([{ name: 'bomb', content: Buffer.alloc(50_000_000) }]);
  const [entry] = readZipDirectory(bytes);
  assert.ok(entry);
  let seen = 0;
  const read = async () => {
    for await (const part of readZipContent(bytes, { ...entry, sizeBytes: 1000 })) {
      seen += part.length;
    }
  };
  await assert.rejects(read, (error) => isSluiceError(error, 'CODE_INVALID'));
  assert.ok(seen <= 1000);
});

test('damage anywhere is an error in words or another archive, and never anything else', async () => {
  const bytes = writeZip(members);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bytes.length - 1),
      fc.nat(255),
      fc.nat(bytes.length),
      async (at, value, length) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        const cut = damaged.subarray(0, length);
        try {
          for (const entry of readZipDirectory(cut)) await contentOf(cut, entry);
        } catch (error) {
          assert.ok(isSluiceError(error, 'CODE_INVALID'), String(error));
        }
      },
    ),
    { numRuns: 400 },
  );
});
