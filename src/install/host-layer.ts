import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { byteString, type LayerToWrite, type TarWriter } from '../oci/mod.ts';
import type { HostFile } from './host-files.ts';

/** Image paths, absolute, and what stands there. */
export type TextFiles = Readonly<Record<string, string>>;

/** Every directory above the paths, parents first. */
function directoriesAbove(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    for (let above = dirname(path); above !== '/'; above = dirname(above)) found.add(above);
  }
  return [...found].sort();
}

const inTar = (path: string) => byteString(path.slice(1));

async function addFile(tar: TarWriter, { source, target, change }: HostFile): Promise<void> {
  const file = await open(source, 'r');
  try {
    const { size, mode, mtimeMs } = await file.stat();
    const mtimeSeconds = Math.floor(mtimeMs / 1000);
    const common = { path: inTar(target), mode: mode & 0o755, mtimeSeconds };
    if (change) {
      await tar.add(common, change(await file.readFile()));
      return;
    }
    const content = file.createReadStream({ end: Math.max(0, size - 1), autoClose: false });
    await tar.add({ ...common, sizeBytes: size }, size === 0 ? Buffer.alloc(0) : content);
  } finally {
    await file.close();
  }
}

/**
 * A layer of this host's files, in the order of their paths so that equal files give equal layers.
 * Times are kept: Python believes its compiled modules by them.
 */
export function hostLayer(files: readonly HostFile[], texts: TextFiles = {}): LayerToWrite {
  const byTarget = new Map(files.map((file) => [file.target, file]));
  const targets = [...byTarget.keys()].sort();
  return {
    compression: 'none',
    write: async (tar) => {
      const links = targets.filter((target) => dirname(target) === '/');
      for (const directory of directoriesAbove([...targets, ...Object.keys(texts)])) {
        if (links.includes(directory)) continue;
        await tar.add({ path: inTar(directory), kind: 'directory' });
      }
      for (const target of targets) {
        const file = byTarget.get(target);
        if (file?.linkTarget !== undefined) {
          const linkTarget = byteString(file.linkTarget);
          await tar.add({ path: inTar(target), kind: 'symlink', mode: 0o777, linkTarget });
        } else if (file && (await stat(file.source)).isFile()) {
          await addFile(tar, file);
        }
      }
      for (const [path, text] of Object.entries(texts).sort()) {
        await tar.add({ path: inTar(path) }, Buffer.from(text));
      }
    },
  };
}
