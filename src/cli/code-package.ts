import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, join, parse } from 'node:path';
import { formatBytes, limits, SluiceError, systemErrorCode } from '../base/mod.ts';
import { writeZip, type ZipMember } from '../zip/mod.ts';

/** Code as it is sent, and what its files say of how it is to be run. */
export interface CodePackage {
  readonly archive: Buffer;
  /** Absent for an archive that was packed already, and where no file tells. */
  readonly guess?: { readonly runtime: string; readonly handler: string };
}

/** Never part of a function. */
const leftOut = new Set(['.git', '.sluice', '.DS_Store', '__pycache__']);

/** File names by which a function is known, and what they begin with; the first that is there. */
const entryFiles: readonly (readonly [pattern: RegExp, runtime: string, entry: string])[] = [
  [/^bootstrap$/, 'provided.al2023', ''],
  [/^(index|app|handler|main)\.(mjs|js|cjs)$/, 'nodejs24.x', 'handler'],
  [/^lambda_function\.py$/, 'python3.13', 'lambda_handler'],
  [/^(app|index|handler|main)\.py$/, 'python3.13', 'handler'],
];

function guessOf(names: readonly string[]): CodePackage['guess'] {
  for (const [pattern, runtime, entry] of entryFiles) {
    const file = names.find((name) => pattern.test(name));
    if (file) return { runtime, handler: entry === '' ? file : `${parse(file).name}.${entry}` };
  }
  return undefined;
}

function readMember(path: string, name: string): ZipMember {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) {
    return { name, mode: 0o777, isSymlink: true, content: Buffer.from(readlinkSync(path)) };
  }
  return { name, mode: stat.mode & 0o100 ? 0o755 : 0o644, content: readFileSync(path) };
}

function* walk(directory: string, prefix = ''): Iterable<ZipMember> {
  const entries = readdirSync(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (leftOut.has(entry.name)) continue;
    const [path, name] = [join(directory, entry.name), `${prefix}${entry.name}`];
    if (entry.isDirectory()) yield* walk(path, `${name}/`);
    else if (entry.isFile() || entry.isSymbolicLink()) yield readMember(path, name);
  }
}

function pack(path: string, members: Iterable<ZipMember>): CodePackage {
  const kept: ZipMember[] = [];
  let bytes = 0;
  for (const member of members) {
    kept.push(member);
    bytes += member.content.length;
    if (bytes <= limits.lambda.codeSizeUnzippedBytes) continue;
    const limit = formatBytes(limits.lambda.codeSizeUnzippedBytes);
    throw new SluiceError('CODE_TOO_LARGE', `${path}: code may have ${limit}; leave something out`);
  }
  if (kept.length === 0) throw new SluiceError('CODE_INVALID', `${path}: there is no file in it`);
  const guess = guessOf(kept.map(({ name }) => name));
  return { archive: writeZip(kept), ...(guess && { guess }) };
}

/**
 * What `--zip` names: an archive as it is, a directory's files, or one file of code. Equal files
 * give equal archives. Throws `CODE_NOT_FOUND`, `CODE_INVALID` and `CODE_TOO_LARGE`.
 */
export function packCode(path: string): CodePackage {
  try {
    if (statSync(path).isDirectory()) return pack(path, walk(path));
    if (path.endsWith('.zip')) return { archive: readFileSync(path) };
    return pack(path, [readMember(path, basename(path))]);
  } catch (cause) {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause;
    throw new SluiceError('CODE_NOT_FOUND', `${path}: there is no such file or directory`, {
      cause,
    });
  }
}
