import type { ByteString } from '../oci/mod.ts';
import type { DiskTarget } from './disk-target.ts';
import { cleanPath, DirectoryResolver, EntryPathError, splitPath } from './entry-path.ts';
import type { ImageProcess } from './image-process.ts';

/** What sandboxes mount over the disk: nobody can know before a start what is below. */
const MOUNTED = /^\/(tmp|dev|proc|mnt)(\/|$)/;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type Kind = 'file' | 'directory' | 'other' | undefined;

/** What is at an absolute path once links are followed; nothing where that cannot be told. */
function kindAt(disk: DiskTarget, path: ByteString): Kind | 'unknown' {
  const resolver = new DirectoryResolver(disk);
  try {
    let at = cleanPath(path);
    for (let links = 0; links < 40; links++) {
      if (at === '') return 'directory';
      const { directory, name } = splitPath(at);
      const parent = resolver.resolve(directory);
      if (!parent?.exists) return MOUNTED.test(`/${parent?.path ?? ''}`) ? 'unknown' : undefined;
      const real = parent.path === '' ? name : `${parent.path}/${name}`;
      if (MOUNTED.test(`/${real}`)) return 'unknown';
      const found = disk.lookup(real);
      if (found?.kind !== 'symlink') {
        if (found === undefined) return undefined;
        return found.kind === 'file' || found.kind === 'directory' ? found.kind : 'other';
      }
      const target = found.linkTarget ?? '';
      at = cleanPath(target.startsWith('/') ? target : `${parent.path}/${target}`);
    }
    return undefined;
  } catch (error) {
    // A link that climbs above the root ends at the root when it is run.
    if (error instanceof EntryPathError) return 'unknown';
    throw error;
  }
}

const bytes = (text: string): ByteString => Buffer.from(text).toString('latin1');

/** Where the program would be looked for, in that order. */
function candidates({ entrypoint, command, environment, workingDirectory }: ImageProcess) {
  const program = entrypoint[0] ?? command[0] ?? '';
  if (program === '') return [];
  if (program.startsWith('/')) return [program];
  if (program.includes('/')) return [`${workingDirectory}/${program}`];
  const path = environment.findLast((each) => each.startsWith('PATH='))?.slice('PATH='.length);
  return (path || DEFAULT_PATH)
    .split(':')
    .map((directory) =>
      directory.startsWith('/') ? directory : `${workingDirectory}/${directory}`,
    )
    .map((directory) => `${directory}/${program}`);
}

/**
 * What of a process is not on the disk that it is to run on, in words for whoever made the image. A
 * function's `ImageConfig` may say otherwise, so that it is for a start to fail.
 */
export function missingOnDisk(disk: DiskTarget, process: ImageProcess): string[] {
  const warnings: string[] = [];
  const { workingDirectory } = process;
  const at = kindAt(disk, bytes(workingDirectory));
  if (at !== 'directory' && at !== 'unknown') {
    const what = at === undefined ? 'is not there' : 'is no directory';
    warnings.push(`config: WorkingDir ${JSON.stringify(workingDirectory)} ${what}`);
  }
  const places = candidates(process);
  const kinds = places.map((place) => kindAt(disk, bytes(place)));
  if (places.length > 0 && !kinds.some((kind) => kind === 'file' || kind === 'unknown')) {
    const program = process.entrypoint[0] ?? process.command[0] ?? '';
    const where = places.length > 1 ? 'in no directory of its PATH' : 'not there';
    const what = kinds.length === 1 && kinds[0] !== undefined ? 'no file' : where;
    warnings.push(`config: the entrypoint ${JSON.stringify(program)} is ${what}`);
  }
  return warnings;
}
