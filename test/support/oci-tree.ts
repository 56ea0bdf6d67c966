import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { runOrThrow } from './run.ts';

/** What a path of a tree is, in a form that `assert.deepEqual` shows well. */
export type TreeNode = Readonly<Record<string, string | number>>;

/**
 * Every path of a tree with all that a disk must keep: type, mode, owner, times in nanoseconds,
 * device, link target, hard-link partners, attributes and content.
 */
export async function treeOf(root: string): Promise<Map<string, TreeNode>> {
  const tree = new Map<string, TreeNode>();
  const firstPath = new Map<bigint, string>();
  const attributes = await attributesOf(root);
  const visit = (path: Buffer, name: string) => {
    const stat = lstatSync(path, { bigint: true });
    // Made by mkfs and by our disks alike; no image has it.
    if (name === '/lost+found') return;
    tree.set(name, {
      ...describe(path, stat),
      ...linked(firstPath, stat, name),
      ...attributes(name),
    });
    if (!stat.isDirectory()) return;
    for (const child of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      visit(
        Buffer.concat([path, Buffer.from('/'), child]),
        `${name === '/' ? '' : name}/${child.toString('latin1')}`,
      );
    }
  };
  visit(Buffer.from(root), '/');
  return tree;
}

function describe(path: Buffer, stat: BigIntStats): TreeNode {
  const node = {
    mode: `0${stat.mode.toString(8)}`,
    owner: `${stat.uid}:${stat.gid}`,
    mtime: `${stat.mtimeNs}`,
  };
  if (stat.isSymbolicLink()) {
    return { ...node, target: readlinkSync(path, { encoding: 'buffer' }).toString('latin1') };
  }
  if (stat.isFile()) {
    const content = stat.size > 1n << 31n ? '(large)' : readFileSync(path);
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { ...node, size: `${stat.size}`, sha256 };
  }
  if (stat.isCharacterDevice() || stat.isBlockDevice()) return { ...node, device: `${stat.rdev}` };
  return node;
}

/** Hard links: the first path of the inode, where it has several. */
function linked(firstPath: Map<bigint, string>, stat: BigIntStats, name: string): TreeNode {
  if (stat.isDirectory() || stat.nlink < 2n) return {};
  const first = firstPath.get(stat.ino) ?? name;
  firstPath.set(stat.ino, first);
  return { sameAs: first, links: Number(stat.nlink) };
}

const GETFATTR = ['-RPhd', '-m', '-', '-e', 'hex', '--absolute-names'];

/** All attributes in one call: `getfattr` escapes names as `\ooo` and gives values in hex. */
async function attributesOf(root: string): Promise<(name: string) => TreeNode> {
  const byPath = new Map<string, Record<string, string>>();
  const output = await runOrThrow('getfattr', [...GETFATTR, root]);
  for (const block of output.split('\n\n')) {
    const [head, ...lines] = block.split('\n').filter((line) => line !== '');
    if (head === undefined) continue;
    const path = Buffer.from(head.replace(/^# file: /, ''), 'utf8').toString('latin1');
    const plain = path.replace(/\\(\d{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    byPath.set(plain.slice(root.length) || '/', {
      xattrs: lines.sort().join(' '),
    });
  }
  return (name) => byPath.get(name) ?? {};
}
