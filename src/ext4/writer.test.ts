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
import { SeededRandom } from '../base/mod.ts';
import { type ReadEntry, readDisk } from './reader.ts';
import {
  checkWithE2fsck,
  directory,
  file,
  type LayerStep,
  type MemoryDisk,
  plain,
  writeLayers,
} from './testing.ts';

const random = new SeededRandom(42);
const someBytes = random.bytes(2_000_000);
const bytes = (count: number): Buffer => someBytes.subarray(count % 1000, (count % 1000) + count);
const acl = Buffer.from(
  '0200000001000600ffffffff0200060038b00100040004 00ffffffff10000600ffffffff20000400ffffffff'.replace(
    ' ',
    '',
  ),
  'hex',
);

/** One of everything that a layer can hold. */
function everything(): LayerStep[][] {
  const sparse = Array.from({ length: 400 }, (_, i) => ({
    offset: 5 * 2 ** 30 + i * 12_288 + (i % 7),
    length: 5000,
  }));
  const lower: LayerStep[] = [
    directory('', { mtimeSeconds: 1 }),
    directory('d', { mode: 0o1777, uid: 70_000, gid: 4_000_000_000 }),
    file('d/empty', Buffer.alloc(0)),
    file('d/one', Buffer.from('1'), { mode: 0o4755, mtimeSeconds: -1, mtimeNanoseconds: 5 }),
    file('d/far', bytes(4096), { mtimeSeconds: 2 ** 33, mtimeNanoseconds: 999_999_999 }),
    file('d/chunk', bytes(524_288)),
    file('d/large', bytes(1_900_000)),
    file('d/replaced', bytes(700_000)),
    { add: { ...plain, path: 'd/fast', kind: 'symlink', linkTarget: 'x'.repeat(59) } },
    { add: { ...plain, path: 'd/slow', kind: 'symlink', linkTarget: 'y'.repeat(60) } },
    { add: { ...plain, path: 'd/slowest', kind: 'symlink', linkTarget: 'z/'.repeat(2047) } },
    { add: { ...plain, path: 'd/hard', kind: 'hardlink', linkTarget: 'd/one' } },
    { add: { ...plain, path: 'null', kind: 'character', deviceMajor: 1, deviceMinor: 3 } },
    { add: { ...plain, path: 'disk', kind: 'block', deviceMajor: 300, deviceMinor: 70_000 } },
    { add: { ...plain, path: 'fifo', kind: 'fifo' } },
    file('n'.repeat(255), bytes(10)),
    file('\xff\x01 \xe9', bytes(20)),
    file('capable', bytes(30), {
      xattrs: new Map([
        ['security.capability', Buffer.from('AQAAAgAgAAAAAAAAAAAAAAAAAAA=', 'base64')],
      ]),
    }),
    file('acl', bytes(40), { xattrs: new Map([['system.posix_acl_access', acl]]) }),
    file('attributes', bytes(50), {
      xattrs: new Map([
        ['user.small', Buffer.from([0, 255, 1])],
        ['user.empty', Buffer.alloc(0)],
        ['user.large', bytes(2000)],
        ['user.\xfc', bytes(1000)],
        ['trusted.t', bytes(100)],
      ]),
    }),
    file('same-attributes', bytes(50), { xattrs: new Map([['user.large', bytes(3800)]]) }),
    file('equal-attributes', bytes(60), { xattrs: new Map([['user.large', bytes(3800)]]) }),
    {
      add: { ...plain, path: 'sparse', kind: 'file', sizeBytes: 6 * 2 ** 30, sparse },
      content: bytes(2_000_000 - 1000).subarray(0, 400 * 5000 - 1000),
    },
  ];
  const sparseStep = lower.at(-1) as { content: Buffer };
  sparseStep.content = Buffer.concat([sparseStep.content, bytes(1000)]);
  const many: LayerStep[] = [directory('many')];
  for (let i = 0; i < 3000; i++) many.push(file(`many/${i}`, bytes(i % 40)));
  const upper: LayerStep[] = [
    { remove: 'd/chunk' },
    file('d/replaced', bytes(123)),
    { add: { ...plain, path: 'hard-to-lower', kind: 'hardlink', linkTarget: 'd/far' } },
    { removeChildren: 'many' },
    file('many/new', bytes(5)),
  ];
  return [lower, many, upper];
}

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
