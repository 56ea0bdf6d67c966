import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** A file or a symbolic link of this host, and where it stands in an image. */
export interface HostFile {
  /** Absolute, on this host. */
  readonly source: string;
  /** Absolute, in the image; no directory on the way to it is a symbolic link. */
  readonly target: string;
  readonly linkTarget?: string;
  /** What becomes of a file's content on its way into the image. */
  readonly change?: (content: Buffer) => Buffer;
}

/** A file at the place where the host really has it, whatever links lead there. */
async function inPlace(path: string): Promise<HostFile> {
  return {
    source: await realpath(path),
    target: join(await realpath(dirname(path)), basename(path)),
  };
}

/** Those of the programs that the host has, looked for in `directories`. */
export async function findPrograms(
  names: readonly string[],
  directories: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      const runs = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (!runs) continue;
      found.push(path);
      break;
    }
  }
  return found;
}

/** The programs, the shared libraries that they need, and the loader. */
export async function withLibraries(programs: readonly string[]): Promise<HostFile[]> {
  const files = await Promise.all(programs.map(inPlace));
  const libraries = await librariesOf(files.map(({ source }) => source));
  return [...files, ...(await Promise.all(libraries.map(inPlace)))];
}

/** A program that is no ELF file, or is linked statically, has none; `ldd` says so and fails. */
async function librariesOf(programs: readonly string[]): Promise<string[]> {
  if (programs.length === 0) return [];
  const { stdout } = await execute('ldd', [...programs], { maxBuffer: OUTPUT_BYTES_MAX }).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  );
  const paths = stdout.split('\n').flatMap((line) => {
    const path = /^\s+(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1];
    return path ? [path] : [];
  });
  return [...new Set(paths)];
}

/** Everything below a directory but what `isLeftOut` names; links stay links. */
export async function tree(
  directory: string,
  isLeftOut: (path: string) => boolean = () => false,
): Promise<HostFile[]> {
  const root = await realpath(directory);
  const files: HostFile[] = [];
  const visit = async (path: string): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const source = join(path, entry.name);
      if (isLeftOut(source)) continue;
      if (entry.isDirectory()) await visit(source);
      else if (entry.isFile()) files.push({ source, target: source });
      else if (entry.isSymbolicLink()) {
        files.push({ source, target: source, linkTarget: await readlink(source) });
      }
    }
  };
  await visit(root);
  return files;
}

/** The directories of old that are links into /usr where the host has merged them. */
export async function topLevelLinks(): Promise<HostFile[]> {
  const links: HostFile[] = [];
  for (const name of ['/bin', '/lib', '/lib32', '/lib64', '/sbin']) {
    const stat = await lstat(name).catch(() => undefined);
    if (!stat?.isSymbolicLink()) continue;
    links.push({ source: name, target: name, linkTarget: await readlink(name) });
  }
  return links;
}
