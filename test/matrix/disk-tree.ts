import { createHash } from 'node:crypto';
import { MemoryDisk } from '../../src/ext4/disk.fixture.ts';
import { readDisk } from '../../src/ext4/mod.ts';
import { flattenImage } from '../../src/image/mod.ts';
import { openImage } from '../../src/oci/mod.ts';
import type { Node } from './tar-case.ts';

const TYPES = {
  ...{ fifo: 0o010000, character: 0o020000, directory: 0o040000, block: 0o060000 },
  ...{ file: 0o100000, symlink: 0o120000 },
} as const;

/** As `getfattr` prints a name. */
const escaped = (name: string) =>
  name.replace(
    /[\\=\n\r]|[^\x20-\x7e]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );

/** The tree of the disk that an image is flattened to, in the form of `treeOf`. */
export async function flattenedDiskTree(
  reference: string,
  spoolDirectory: string,
): Promise<{ tree: Record<string, Node>; warnings: readonly string[] }> {
  const image = await openImage(reference, { platform: { os: 'linux', architecture: 'amd64' } });
  const disk = new MemoryDisk();
  try {
    const summary = await flattenImage(image, { sink: disk, spoolDirectory });
    disk.sizeBytes = summary.diskBytes;
    return { tree: await treeOfDisk(disk), warnings: summary.warnings };
  } finally {
    await image.close();
  }
}

async function treeOfDisk(disk: MemoryDisk): Promise<Record<string, Node>> {
  const tree: Record<string, Node> = {};
  const first = new Map<number, string>();
  for await (const entry of readDisk(disk)) {
    const path = entry.path === '' ? '/' : `/${entry.path}`;
    if (path === '/lost+found') continue;
    const node: Record<string, string | number> = {
      mode: `0${(TYPES[entry.kind] | entry.mode).toString(8)}`,
      owner: `${entry.uid}:${entry.gid}`,
      mtime: `${BigInt(entry.mtimeSeconds) * 1_000_000_000n + BigInt(entry.mtimeNanoseconds)}`,
    };
    if (entry.linkTarget !== undefined) node['target'] = entry.linkTarget;
    if (entry.kind === 'file') {
      const hash = createHash('sha256');
      for await (const bytes of entry.content()) hash.update(bytes);
      node['size'] = `${entry.sizeBytes}`;
      node['sha256'] = hash.digest('hex');
    }
    if (entry.device) node['device'] = `${deviceNumber(entry.device)}`;
    if (entry.kind !== 'directory' && entry.linkCount > 1) {
      node['sameAs'] = first.get(entry.inode) ?? path;
      node['links'] = entry.linkCount;
      first.set(entry.inode, `${node['sameAs']}`);
    }
    if (entry.xattrs.size > 0) {
      const lines = [...entry.xattrs].map(
        ([name, value]) => `${escaped(name)}=0x${value.toString('hex')}`,
      );
      node['xattrs'] = lines.sort().join(' ');
    }
    tree[path] = node;
  }
  return tree;
}

/** As Linux packs it for `stat`. */
function deviceNumber({ major, minor }: { major: number; minor: number }): number {
  return (minor & 0xff) + major * 256 + (minor >> 8) * 2 ** 20;
}
