import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { checkWithE2fsck, directory, file, type MemoryDisk, writeLayers } from './disk.fixture.ts';
import { type ReadEntry, readDisk } from './reader.ts';
import { everything } from './tree.fixture.ts';

interface Facts {
  [fact: string]: unknown;
}

async function digestOf(entry: ReadEntry): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of entry.content()) hash.update(piece);
  return hash.digest('hex');
}

async function readFacts(disk: MemoryDisk, withContent: (path: string) => boolean) {
  const facts = new Map<string, Facts>();
  for await (const entry of readDisk(disk)) {
    const { kind, mode, uid, gid, mtimeSeconds, mtimeNanoseconds, linkTarget, device } = entry;
    const hasContent = kind === 'file' && withContent(entry.path);
    facts.set(entry.path, {
      ...{ kind, mode, uid, gid, linkTarget, device, links: entry.linkCount },
      mtime: BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanoseconds),
      size: kind === 'file' ? entry.sizeBytes : undefined,
      content: hasContent ? await digestOf(entry) : undefined,
      xattrs: [...entry.xattrs].sort().map(([name, value]) => `${name}=${value.toString('hex')}`),
    });
  }
  return facts;
}

const kindOf = (mode: number): string =>
  ({ 1: 'fifo', 2: 'character', 4: 'directory', 6: 'block', 8: 'file', 10: 'symlink' })[
    mode >> 12
  ] ?? 'unknown';

/** Attributes of all paths below `root`, by name; getfattr writes unusual bytes in octal. */
function mountedXattrs(root: string): Map<string, string[]> {
  const output = execFileSync('getfattr', ['-R', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
    maxBuffer: 2 ** 26,
  });
  const all = new Map<string, string[]>();
  for (const section of output.split('\n\n')) {
    const [header, ...lines] = section.trim().split('\n');
    const name = (header ?? '')
      .slice('# file: '.length)
      .replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    all.set(
      name === '.' ? '' : name,
      lines.map((line) => (line.includes('=') ? line.replace('=0x', '=') : `${line}=`)).sort(),
    );
  }
  return all;
}

/** What the kernel says of a mounted tree, in the same form. */
function mountedFacts(root: string, withContent: (path: string) => boolean) {
  const facts = new Map<string, Facts>();
  const xattrs = mountedXattrs(root);
  const visit = (path: Buffer, name: string) => {
    const stat = lstatSync(path, { bigint: true });
    const kind = kindOf(Number(stat.mode));
    const isDevice = kind === 'character' || kind === 'block';
    const rdev = Number(stat.rdev);
    facts.set(name, {
      kind,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      linkTarget: kind === 'symlink' ? readlinkSync(path, 'latin1') : undefined,
      device: isDevice
        ? { major: (rdev >> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) }
        : undefined,
      links: Number(stat.nlink),
      mtime: stat.mtimeNs,
      size: kind === 'file' ? Number(stat.size) : undefined,
      content:
        kind === 'file' && withContent(name)
          ? createHash('sha256').update(readFileSync(path)).digest('hex')
          : undefined,
      xattrs: xattrs.get(name) ?? [],
    });
    if (kind !== 'directory') return;
    for (const child of readdirSync(path, { encoding: 'buffer' })) {
      const childName = child.toString('latin1');
      visit(
        Buffer.concat([path, Buffer.from('/'), child]),
        name === '' ? childName : `${name}/${childName}`,
      );
    }
  };
  visit(Buffer.from(root), '');
  return facts;
}

/** Mounts a disk for the time of `work`. */
function whileMounted<T>(image: string, mode: 'ro' | 'rw', work: (root: string) => T): T {
  const root = `${image}.${mode}`;
  mkdirSync(root);
  execFileSync('mount', ['-o', `loop,${mode}`, image, root]);
  try {
    return work(root);
  } finally {
    // A mount namespace made meanwhile has a copy of the mount, which outlives this one's end.
    execFileSync('mount', ['-o', 'remount,ro', root]);
    execFileSync('umount', [root]);
  }
}

const smallEnough = (path: string): boolean => path !== 'sparse';

test('a disk with one of everything is what e2fsck, the kernel and our reader agree on', async (t) => {
  if (!hostHas(t, 'root', 'loop', 'tool:e2fsck', 'tool:getfattr')) return;
  const work = temporaryDirectory(t, 'ext4');
  const { disk } = await writeLayers(everything(), work);
  const image = join(work, 'disk');
  disk.save(image);
  checkWithE2fsck(image);
  const read = await readFacts(disk, smallEnough);
  const mounted = whileMounted(image, 'ro', (root) => mountedFacts(root, smallEnough));
  assert.deepEqual([...read].sort(), [...mounted].sort());
  assert.equal(read.get('many/new')?.['size'], 5);
  assert.equal(read.has('many/7'), false);
  assert.equal(read.has('d/chunk'), false);
  assert.equal(read.get('d/one')?.['links'], 2);
});

test('the kernel writes to a disk, and e2fsck still finds nothing', async (t) => {
  if (!hostHas(t, 'root', 'loop', 'tool:e2fsck')) return;
  const work = temporaryDirectory(t, 'ext4');
  const { disk } = await writeLayers(everything(), work);
  const image = join(work, 'disk');
  disk.save(image);
  whileMounted(image, 'rw', (root) => {
    writeFileSync(join(root, 'written'), Buffer.alloc(400_000_000, 7));
    for (let i = 0; i < 2000; i++) writeFileSync(join(root, `many/written-${i}`), 'x');
    rmSync(join(root, 'd'), { recursive: true });
    linkSync(join(root, 'capable'), join(root, 'linked'));
    renameSync(join(root, 'attributes'), join(root, 'many/moved'));
  });
  checkWithE2fsck(image);
});

test('100,000 names in a directory are indexed in two levels and all found', async (t) => {
  if (!hostHas(t, 'root', 'loop', 'tool:e2fsck')) return;
  const work = temporaryDirectory(t, 'ext4');
  const names = Array.from({ length: 100_000 }, (_, i) => `${i}-${'long name '.repeat(i % 12)}`);
  const layer = [directory('many'), ...names.map((name) => file(`many/${name}`, Buffer.alloc(0)))];
  const { disk } = await writeLayers([layer], work);
  const image = join(work, 'disk');
  disk.save(image);
  checkWithE2fsck(image);
  whileMounted(image, 'ro', (root) => {
    assert.equal(readdirSync(join(root, 'many')).length, names.length);
    for (let i = 0; i < names.length; i += 13) lstatSync(join(root, 'many', names[i]!));
  });
});

test('a directory may have more subdirectories than a link count says', async (t) => {
  if (!hostHas(t, 'tool:e2fsck')) return;
  const work = temporaryDirectory(t, 'ext4');
  const layer = [directory('d')];
  for (let i = 0; i < 65_100; i++) layer.push(directory(`d/${i}`));
  const { disk } = await writeLayers([layer], work);
  const image = join(work, 'disk');
  disk.save(image);
  checkWithE2fsck(image);
});
