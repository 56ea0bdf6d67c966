import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** A file of this host and where it stands in the image. */
export interface HostFile {
  readonly source: string;
  /** Absolute in the image. */
  readonly target: string;
}

/** The shared libraries that a program needs, with its loader, at the paths where it looks. */
export function sharedLibraries(program: string): HostFile[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const path = /(?:=> )?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1];
    return path ? [{ source: realpathSync(path), target: path }] : [];
  });
}

/** Every directory above the files, parents first. */
export function parentDirectories(files: readonly HostFile[]): string[] {
  const found = new Set<string>();
  for (const { target } of files) {
    for (let path = dirname(target); path !== '/'; path = dirname(path)) found.add(path);
  }
  return [...found].sort();
}
