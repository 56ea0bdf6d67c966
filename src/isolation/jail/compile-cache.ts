import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join, relative, sep } from 'node:path';
import type { Helper, HelperMount } from './types.ts';

const OWN_UID = 0;
const COMPILE_MAIN = join(import.meta.dirname, 'compile-main.ts');
const filled = new Set<string>();
const compiling = new Set<ChildProcess>();

/** Node's name of its folder of compiled modules, which ends in the user's id. */
function folderOf(directory: string): string | undefined {
  const begin = `${process.version}-${process.arch}-`;
  try {
    const names = readdirSync(directory);
    return names.find((name) => name.startsWith(begin) && name.endsWith(`-${OWN_UID}`));
  } catch {
    return undefined;
  }
}

/**
 * Our modules as Node keeps them compiled, for a helper to read under its own id. No helper writes
 * there: what one writes, another would run. Nothing, where there are none yet, or where `others`
 * show the helper the place as it is on the host: there is no folder of its id to mount on.
 */
export function compileCacheMounts(
  compileCache: string | undefined,
  uid: number,
  others: readonly HelperMount[],
): HelperMount[] {
  const folder = compileCache && folderOf(compileCache);
  if (!compileCache || !folder) return [];
  const covers = ({ path, inside = path }: HelperMount) => isBelow(compileCache, inside);
  if (others.some(covers)) return [];
  const own = `${folder.slice(0, -`${OWN_UID}`.length)}${uid}`;
  return [{ path: join(compileCache, folder), inside: join(compileCache, own), access: 'read' }];
}

function isBelow(path: string, folder: string): boolean {
  const between = relative(folder, path);
  return between !== '..' && !between.startsWith(`..${sep}`);
}

/**
 * Compiles a helper's modules in a process that has nothing to do, once in this process's life for
 * a folder and where they are older than the module. Nobody waits for it, its failing costs only time,
 * and it ends with this process: whoever removes the folder then finds it gone for good.
 */
export function fillCompileCache({ main, flags }: Helper, compileCache: string): void {
  if (filled.has(compileCache)) return;
  filled.add(compileCache);
  try {
    mkdirSync(compileCache, { recursive: true, mode: 0o700 });
    const folder = folderOf(compileCache);
    const madeMs = folder ? statSync(join(compileCache, folder)).mtimeMs : 0;
    if (madeMs > statSync(main).mtimeMs) return;
  } catch {
    return;
  }
  const env = { NODE_COMPILE_CACHE: compileCache, SLUICE_COMPILE: main };
  const child = spawn(process.execPath, [...flags, COMPILE_MAIN], { env, stdio: 'ignore' });
  if (compiling.size === 0) process.on('exit', endCompiling);
  compiling.add(child);
  child.on('error', () => {});
  child.once('close', () => {
    compiling.delete(child);
    if (compiling.size === 0) process.off('exit', endCompiling);
  });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  child.unref();
}

function endCompiling(): void {
  for (const child of compiling) child.kill('SIGKILL');
}
