import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, KIB, limits, SeededRandom } from '../base/mod.ts';
import { crc32c } from './crc32c.ts';
import { checkWithE2fsck, directory, file, type LayerStep, writeLayers } from './disk.fixture.ts';
import { readDisk } from './reader.ts';

const random = new SeededRandom(3);
const longest = random.bytes(64 * KIB);
const attributes: Record<string, Record<string, Buffer>> = {
  longest: { 'user.longest': longest },
  two: { 'user.one': random.bytes(5000), 'user.other': random.bytes(4096), 'user.x': longest },
  mixed: {
    'user.large': random.bytes(3900),
    'user.small': random.bytes(300),
    'user.tiny': random.bytes(9),
  },
  odd: { 'user.odd': random.bytes(40_961), 'trusted.empty': Buffer.alloc(0) },
};
const shared = { 'user.shared': random.bytes(10_000) };

const withAttributes = (path: string, xattrs: Record<string, Buffer>): LayerStep =>
  file(path, Buffer.from(path), { xattrs: new Map(Object.entries(xattrs)) });

function layer(): LayerStep[] {
  const steps = Object.entries(attributes).map(([path, xattrs]) => withAttributes(path, xattrs));
  steps.push(directory('many', { xattrs: new Map(Object.entries(attributes['two']!)) }));
  // More than one block may serve.
  for (let i = 0; i < 1100; i++) steps.push(withAttributes(`many/${i}`, shared));
  return steps;
}

test('the checksum is the Castagnoli one', () => {
  assert.equal(crc32c(0xffff_ffff, Buffer.from('123456789')) ^ -1, 0xe3069283 | 0);
});

test('attributes of up to 64 KiB: e2fsck, the kernel and our reader agree', async (t) => {
  if (!hostHas(t, 'root', 'loop', 'tool:e2fsck', 'tool:getfattr')) return;
  const work = temporaryDirectory(t, 'xattrs');
  const { disk, summary } = await writeLayers([layer()], work);
  assert.equal(summary.files, 1104);
  const image = join(work, 'disk');
  disk.save(image);
  checkWithE2fsck(image);

  const read = new Map<string, ReadonlyMap<string, Buffer>>();
  for await (const entry of readDisk(disk)) read.set(entry.path, entry.xattrs);
  const root = join(work, 'root');
  mkdirSync(root);
  execFileSync('mount', ['-o', 'loop', image, root]);
  try {
    for (const [path, xattrs] of [...Object.entries(attributes), ['many/1077', shared] as const]) {
      for (const [name, value] of Object.entries(xattrs)) {
        const words = ['--absolute-names', '--only-values', '-n', name, join(root, path)];
        assert.ok(execFileSync('getfattr', words).equals(value), `${path}: ${name}`);
        assert.ok(read.get(path)?.get(name)?.equals(value), `${path}: ${name}`);
      }
    }
    execFileSync('setfattr', ['-x', 'user.one', join(root, 'two')]);
    execFileSync('setfattr', ['-n', 'user.longest', '-v', 'short', join(root, 'longest')]);
    rmSync(join(root, 'odd'));
    rmSync(join(root, 'many/5'));
  } finally {
    // A mount namespace made meanwhile has a copy of the mount, which outlives this one's end.
    execFileSync('mount', ['-o', 'remount,ro', root]);
    execFileSync('umount', [root]);
  }
  checkWithE2fsck(image);
});

test('attributes that would fill the memory are refused', async (t) => {
  const steps = Array.from({ length: limits.disk.xattrBytes / longest.length + 1 }, (_, i) => {
    const value = Buffer.from(longest);
    value.writeUInt32LE(i);
    return withAttributes(`${i}`, { 'user.value': value });
  });
  await assert.rejects(writeLayers([steps], temporaryDirectory(t, 'xattrs')), (error: unknown) =>
    isSluiceError(error, 'IMAGE_TOO_LARGE'),
  );
});
