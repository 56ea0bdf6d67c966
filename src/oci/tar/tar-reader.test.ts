import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReadEntry, readAll } from '../../../test/support/oci-tar.ts';
import { paxRecord } from './pax.ts';
import { readTar } from './tar-reader.ts';
import { TarWriter } from './tar-writer.ts';

/** The bytes in pieces of `size`, so that every field falls across a seam somewhere. */
async function* pieces(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function written(write: (tar: TarWriter) => Promise<void>): Promise<Buffer> {
  const parts: Buffer[] = [];
  const tar = new TarWriter((bytes) => void parts.push(Buffer.from(bytes)));
  await write(tar);
  await tar.end();
  return Buffer.concat(parts);
}

/** A ustar header with every field as given, and the checksum right. */
function header(fields: Readonly<Record<number, string | Buffer>>, type = '0'): Buffer {
  const block = Buffer.alloc(512);
  const usual = { 0: 'name', 100: '0000644', 108: '0000000', 116: '0000000' };
  const rest = { 124: '00000000000', 136: '00000000000', 156: type, 257: 'ustar\x0000' };
  for (const [at, value] of Object.entries({ ...usual, ...rest, ...fields })) {
    Buffer.from(value as string, 'latin1').copy(block, Number(at));
  }
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

const end = Buffer.alloc(1024);
const padded = (bytes: Buffer) =>
  Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
const pax = (records: Record<string, string | Buffer>, type = 'x') => {
  const body = Buffer.concat(
    Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))),
  );
  return Buffer.concat([
    header({ 124: body.length.toString(8).padStart(11, '0') }, type),
    padded(body),
  ]);
};
const rejects = (bytes: Buffer, code: string, pattern: RegExp) =>
  assert.rejects(readAll(pieces(bytes)), (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });

test('reads back all that the writer writes, whatever the pieces it comes in', async () => {
  const xattrs = new Map([['user.binary', Buffer.from([0, 61, 10, 255])]]);
  const bytes = await written(async (tar) => {
    await tar.add({ path: 'dir', kind: 'directory', mode: 0o1777, uid: 5, gid: 2 ** 40 });
    await tar.add({ path: `dir/${'n'.repeat(300)}`, mtimeSeconds: -2, mtimeNanoseconds: 750e6 });
    await tar.add({ path: 'dir/\xff\xfe', xattrs }, Buffer.from('content'));
    await tar.add({ path: 'link', kind: 'symlink', linkTarget: 't'.repeat(200) });
    await tar.add({ path: 'hard', kind: 'hardlink', linkTarget: 'dir/\xff\xfe' });
    await tar.add({ path: 'dev', kind: 'block', deviceMajor: 8, deviceMinor: 1 });
    await tar.add({ path: 'pipe', kind: 'fifo', mtimeSeconds: 2 ** 34, mtimeNanoseconds: 1 });
  });
  for (const size of [1, 7, 511, 512, 513, 4096, bytes.length]) {
    const entries = await readAll(pieces(bytes, size));
    assert.deepEqual(
      entries.map(({ path, kind }) => [path, kind]),
      [
        ['dir', 'directory'],
        [`dir/${'n'.repeat(300)}`, 'file'],
        ['dir/\xff\xfe', 'file'],
        ['link', 'symlink'],
        ['hard', 'hardlink'],
        ['dev', 'block'],
        ['pipe', 'fifo'],
      ],
    );
    const [dir, long, file, link, hard, dev, pipe] = entries as [ReadEntry, ...ReadEntry[]];
    assert.deepEqual([dir.mode, dir.uid, dir.gid], [0o1777, 5, 2 ** 40]);
    assert.deepEqual([long?.mtimeSeconds, long?.mtimeNanoseconds], [-2, 750_000_000]);
    assert.deepEqual([file?.xattrs, file?.bytes.toString()], [xattrs, 'content']);
    assert.equal(link?.linkTarget, 't'.repeat(200));
    assert.equal(hard?.linkTarget, 'dir/\xff\xfe');
    assert.deepEqual([dev?.deviceMajor, dev?.deviceMinor], [8, 1]);
    assert.deepEqual([pipe?.mtimeSeconds, pipe?.mtimeNanoseconds], [2 ** 34, 1]);
  }
});

test('skips content that nobody reads', async () => {
  const bytes = await written(async (tar) => {
    for (const name of ['a', 'b', 'c']) await tar.add({ path: name }, Buffer.alloc(100_001, name));
  });
  const paths: string[] = [];
  for await (const entry of readTar(pieces(bytes, 10_000))) {
    paths.push(entry.path);
    if (entry.path === 'b') for await (const _ of entry.content()) break;
  }
  assert.deepEqual(paths, ['a', 'b', 'c']);
});

test('V7: a trailing slash makes a directory, and there is no prefix', async () => {
  const v7 = (path: string) =>
    header({ 0: `${path}`.padEnd(100, '\0'), 257: Buffer.alloc(8), 345: 'x' }, '\0');
  const entries = await readAll(pieces(Buffer.concat([v7('dir/'), v7('file'), end])));
  assert.deepEqual(
    entries.map(({ path, kind }) => [path, kind]),
    [
      ['dir/', 'directory'],
      ['file', 'file'],
    ],
  );
});

test('numbers: base-256, negative, and octal with spaces', async () => {
  const uid = Buffer.from([0x80, 0, 0, 1, 0, 0, 0, 0]);
  const mtime = Buffer.alloc(12, 0xff);
  const bytes = header({ 108: uid, 136: mtime, 116: '   17 \0\0' });
  const [entry] = await readAll(pieces(Buffer.concat([bytes, end])));
  assert.deepEqual([entry?.uid, entry?.gid, entry?.mtimeSeconds], [2 ** 32, 0o17, -1]);
});

test('PAX: global headers hold on, local ones go first, an empty value takes back', async () => {
  const bytes = Buffer.concat([
    pax({ uid: '7', comment: 'any', 'SCHILY.xattr.user.g': 'global' }, 'g'),
    header({ 0: 'one\0' }),
    pax({ uid: '8', path: 'renamed', 'LIBARCHIVE.xattr.user.l': 'local' }),
    header({ 0: 'two\0' }),
    pax({ uid: '' }),
    header({ 0: 'three\0', 108: '0000011' }),
    end,
  ]);
  const entries = await readAll(pieces(bytes));
  assert.deepEqual(
    entries.map(({ path, uid, xattrs }) => [path, uid, [...xattrs.keys()]]),
    [
      ['one', 7, ['user.g']],
      ['renamed', 8, ['user.g', 'user.l']],
      ['three', 9, ['user.g']],
    ],
  );
});

test('times with a fraction, before the epoch too', async () => {
  for (const [text, seconds, nanoseconds] of [
    ['1.5', 1, 500_000_000],
    ['-1.25', -2, 750_000_000],
    ['-0.000000001', -1, 999_999_999],
    ['-3', -3, 0],
    ['12.1234567891', 12, 123_456_789],
  ] as const) {
    const bytes = Buffer.concat([pax({ mtime: text }), header({}), end]);
    const [entry] = await readAll(pieces(bytes));
    assert.deepEqual([entry?.mtimeSeconds, entry?.mtimeNanoseconds], [seconds, nanoseconds], text);
  }
});

test('type 7 is a file; a volume label is skipped', async () => {
  const bytes = Buffer.concat([
    header({ 0: 'label\0' }, 'V'),
    header({ 0: 'file\0', 124: '00000000002' }, '7'),
    padded(Buffer.from('hi')),
    end,
  ]);
  const entries = await readAll(pieces(bytes));
  assert.deepEqual(
    entries.map(({ path, kind, bytes }) => [path, kind, `${bytes}`]),
    [['file', 'file', 'hi']],
  );
});

test('ends: none, one zero block, many; what follows the mark is not an entry', async () => {
  const one = header({ 0: 'one\0' });
  for (const tail of [0, 512, 1024, 10_240]) {
    const entries = await readAll(pieces(Buffer.concat([one, Buffer.alloc(tail)])));
    assert.equal(entries.length, 1, `${tail} zero bytes`);
  }
  assert.deepEqual(await readAll(pieces(Buffer.alloc(0))), []);
  assert.equal((await readAll(pieces(Buffer.concat([one, end, one])))).length, 1);
});

test('bad archives are refused by name', async () => {
  const file = header({ 0: 'file\0', 124: '00000001000' });
  const cases: [Buffer, string, RegExp][] = [
    [file, 'IMAGE_LAYER_TRUNCATED', /entry "file"/],
    [file.subarray(0, 300), 'IMAGE_LAYER_TRUNCATED', /inside an entry/],
    [Buffer.alloc(512, 'x'), 'IMAGE_LAYER_CORRUPT', /checksum/],
    [Buffer.concat([Buffer.alloc(512), file]), 'IMAGE_LAYER_CORRUPT', /zero block/],
    [header({ 124: Buffer.alloc(12, 0xff) }), 'IMAGE_ENTRY_INVALID', /negative/],
    [
      header({ 124: Buffer.from([0x80, ...Array(11).fill(0xff)]) }),
      'IMAGE_ENTRY_INVALID',
      /overflows/,
    ],
    [header({ 124: '0000000zz00' }), 'IMAGE_ENTRY_INVALID', /octal/],
    [header({}, 'M'), 'IMAGE_ENTRY_INVALID', /type "M"/],
    [header({ 124: '77777777777' }, 'x'), 'IMAGE_ENTRY_INVALID', /extension header/],
    [Buffer.concat([pax({ size: '-5' }), file]), 'IMAGE_ENTRY_INVALID', /negative/],
    [Buffer.concat([pax({ size: '1e5' }), file]), 'IMAGE_ENTRY_INVALID', /size/],
    [Buffer.concat([pax({ mtime: 'now' }), file]), 'IMAGE_ENTRY_INVALID', /mtime/],
    [Buffer.concat([pax({ path: 'a\0b' }), file]), 'IMAGE_ENTRY_INVALID', /NUL/],
  ];
  for (const [bytes, code, pattern] of cases) await rejects(bytes, code, pattern);
});
