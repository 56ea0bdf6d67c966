import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { runOrThrow } from './run.ts';

/** One line an entry: path, type, mode, owner, mtime, link count, size or device, target, content. */
function describe(root: string, path: string): string {
  const full = join(root, path);
  const stat = lstatSync(full, { bigint: true });
  const parts = [
    path === '' ? '.' : path,
    stat.mode.toString(8),
    `${stat.uid}:${stat.gid}`,
    stat.isDirectory() ? '-' : `links=${stat.nlink}`,
    stat.mtimeNs.toString(),
  ];
  if (stat.isFile()) {
    parts.push(`${stat.size}`, createHash('sha256').update(readFileSync(full)).digest('hex'));
  } else if (stat.isSymbolicLink()) parts.push(readlinkSync(full));
  else if (stat.isBlockDevice() || stat.isCharacterDevice()) parts.push(`${stat.rdev}`);
  return parts.join(' ');
}

/** Every entry below a directory in one line each, sorted; what two equal trees have equal. */
export function describeTree(root: string, leaveOut: ReadonlySet<string> = new Set()): string[] {
  const lines: string[] = [];
  const visit = (path: string) => {
    lines.push(describe(root, path));
    const full = join(root, path);
    if (!lstatSync(full).isDirectory()) return;
    for (const name of readdirSync(full).sort()) {
      const inside = path === '' ? name : `${path}/${name}`;
      if (!leaveOut.has(inside)) visit(inside);
    }
  };
  visit('');
  return lines.sort();
}

/** Every extended attribute below a directory, by getfattr, values in hexadecimal. */
export async function describeXattrs(root: string): Promise<string[]> {
  const words = ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', '.'];
  const text = await runOrThrow('getfattr', words, { cwd: root });
  return text
    .split('\n\n')
    .map((block) => block.trim())
    .filter((block) => block !== '')
    .sort();
}
