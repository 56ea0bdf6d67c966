import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of the host, and where a jail has it. */
export interface NodeFile {
  readonly path: string;
  readonly inside: string;
}

export interface NodeFiles {
  readonly files: readonly NodeFile[];
  /** Where the loader finds the libraries. */
  readonly environment: Readonly<Record<string, string>>;
}

const LIBRARIES = '/lib/node';
const ELF_HEAD_BYTES = 4096;
const PT_INTERP = 3;

let known: NodeFiles | undefined;

/**
 * What a jail needs to run this very Node: its binary, the loader that the binary names, and the
 * libraries that this process has mapped, under the names by which the loader asks for them.
 */
export function nodeFiles(): NodeFiles {
  if (known) return known;
  const files: NodeFile[] = [{ path: process.execPath, inside: process.execPath }];
  const loader = loaderOf(process.execPath);
  if (loader !== undefined) files.push({ path: loader, inside: loader });
  for (const path of mappedLibraries()) {
    for (const name of namesOf(path)) files.push({ path, inside: join(LIBRARIES, name) });
  }
  known = { files, environment: { LD_LIBRARY_PATH: LIBRARIES } };
  return known;
}

/** The program interpreter that an ELF file of 64 bits names; undefined for a static one. */
function loaderOf(path: string): string | undefined {
  const head = Buffer.alloc(ELF_HEAD_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  const at = Number(head.readBigUInt64LE(32));
  const [entryBytes, entries] = [head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let entry = at; entry < at + entryBytes * entries; entry += entryBytes) {
    if (head.readUInt32LE(entry) !== PT_INTERP) continue;
    const from = Number(head.readBigUInt64LE(entry + 8));
    return head.toString('utf8', from, head.indexOf(0, from));
  }
  return undefined;
}

function mappedLibraries(): string[] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  const paths = lines.map((line) => /\s(\/\S*\.so[.\d]*)$/.exec(line)?.[1]);
  return [...new Set(paths.filter((path) => path !== undefined))];
}

/** A library's own name, and those of the links to it beside it. */
function namesOf(path: string): string[] {
  const own = basename(path);
  const stem = own.slice(0, own.indexOf('.so'));
  const links = readdirSync(dirname(path), { withFileTypes: true })
    .filter((entry) => entry.isSymbolicLink() && entry.name.startsWith(stem))
    .filter((entry) => basename(readlinkSync(join(dirname(path), entry.name))) === own);
  return [own, ...links.map((entry) => entry.name)];
}

/** Our own source, and the packages that it may import: nothing else of the folder they lie in. */
export function sourcePaths(): string[] {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const paths = [join(root, 'src'), join(root, 'package.json'), join(root, 'node_modules')];
  for (let above = dirname(root); above !== dirname(above); above = dirname(above)) {
    paths.push(join(above, 'node_modules'));
  }
  return paths.filter((path) => existsSync(path));
}
