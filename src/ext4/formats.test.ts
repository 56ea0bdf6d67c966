import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostHas } from '../../test/support/host.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { isSluiceError } from '../base/mod.ts';
import { aclFromDisk, aclToDisk } from './acl.ts';
import { directoryHash } from './directory-hash.ts';
import { HASH_SEED } from './format.ts';
import { encodeTime } from './inode.ts';
import { decodeTime } from './read-inode.ts';
import { parseXattrs } from './read-xattrs.ts';
import { buildXattrs } from './xattr.ts';

const isInvalid = (error: unknown): boolean => isSluiceError(error, 'IMAGE_ENTRY_INVALID');

test('times from 1901 to 2446 come back to the nanosecond, others are clamped', () => {
  const seconds = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.maxSafeInteger().map((value) => -(2 ** 31) + (Math.abs(value) % 2 ** 34)),
  );
  fc.assert(
    fc.property(seconds, fc.nat(999_999_999), (at, nanoseconds) => {
      const { low, extra } = encodeTime(at, nanoseconds);
      assert.deepEqual(decodeTime(low, extra), { seconds: at, nanoseconds });
    }),
  );
  const late = encodeTime(2 ** 40, 5);
  const latest = { seconds: 2 ** 34 - 2 ** 31 - 1, nanoseconds: 0 };
  assert.deepEqual(decodeTime(late.low, late.extra), latest);
});

test('names have the hashes that debugfs computes', (t) => {
  if (!hostHas(t, 'tool:debugfs')) return;
  const seedBytes = Buffer.alloc(16);
  for (const [i, word] of HASH_SEED.entries()) seedBytes.writeUInt32LE(word, 4 * i);
  const hex = seedBytes.toString('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const names = [
    'a',
    'lost+found',
    'x'.repeat(31),
    'y'.repeat(32),
    'z'.repeat(33),
    'n'.repeat(255),
  ];
  for (const name of names) {
    const said = execFileSync('debugfs', ['-R', `dx_hash -h half_md4 -s ${uuid} ${name}`], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const found = /0x([0-9a-f]+) \(minor 0x([0-9a-f]+)\)/.exec(said);
    assert.ok(found, said);
    const { major, minor } = directoryHash(name);
    assert.deepEqual([major.toString(16), minor.toString(16)], [found[1], found[2]], name);
  }
});

const xattrName = fc.tuple(
  fc.constantFrom('user.', 'trusted.', 'security.'),
  fc.string({ unit: fc.constantFrom('a', 'b', '.', '\xfc'), minLength: 1, maxLength: 40 }),
);

const noLargeValue = async (): Promise<Buffer> => assert.fail('no value has an inode of its own');

test('attributes come back from body and block, whatever their sizes', async () => {
  const values = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const some = fc.array(
    fc.tuple(
      xattrName.map((parts) => parts.join('')),
      values,
    ),
    {
      maxLength: 12,
    },
  );
  await fc.assert(
    fc.asyncProperty(some, async (pairs) => {
      const xattrs = new Map(pairs);
      const { body, block } = buildXattrs(xattrs);
      assert.ok((body?.length ?? 96) === 96 && (block?.length ?? 4096) === 4096);
      const read = await parseXattrs(body ?? Buffer.alloc(96), block, noLargeValue);
      assert.deepEqual(new Map([...read].sort()), new Map([...xattrs].sort()));
      assert.deepEqual(buildXattrs(new Map([...xattrs].toReversed())).block, block);
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('attributes that ext4 cannot hold are refused', () => {
  const refused = (name: string, value: Buffer) =>
    assert.throws(() => buildXattrs(new Map([[name, value]])), isInvalid, name);
  refused('user.', Buffer.alloc(1));
  refused('unknown.name', Buffer.alloc(1));
  refused(`user.${'n'.repeat(256)}`, Buffer.alloc(1));
  refused('system.posix_acl_access', Buffer.from('no list'));
  refused('system.posix_acl_access', Buffer.from('0200000003000600ffffffff', 'hex'));
});

test('names that fill more than a block are refused, whatever their values', () => {
  const named = (count: number) =>
    new Map(
      Array.from({ length: count }, (_, i) => [`user.${i}${'n'.repeat(240)}`, Buffer.alloc(9)]),
    );
  assert.ok(buildXattrs(named(15)).large);
  assert.throws(() => buildXattrs(named(16)), isInvalid);
});

test('an access control list loses its unused ids on disk, and gets them back', () => {
  const list = '02000000' + '01000600ffffffff' + '02000600e8030000' + '20000400ffffffff';
  const disk = aclToDisk(Buffer.from(list, 'hex'));
  assert.equal(disk.toString('hex'), `01000000${'01000600'}${'02000600e8030000'}${'20000400'}`);
  assert.equal(aclFromDisk(disk)?.toString('hex'), list);
});
