import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** The environment variable with the run's directory, which `test/run.ts` makes and removes. */
export const RUN_DIRECTORY = 'SLUICE_TEST_RUN';
/** How many directories the cache keeps; those used in the last day are kept in any case. */
const CACHE_ENTRIES = 16;
const DAY_MS = 24 * 60 * 60_000;

/** Fills an empty directory. */
type Build = (directory: string) => Promise<void>;

let ownRunDirectory: string | undefined;

/** The run's directory; for a test file that runs by itself, one that goes with its process. */
function runDirectory(): string {
  const given = process.env[RUN_DIRECTORY];
  if (given) return given;
  if (ownRunDirectory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'sluice-tests-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    ownRunDirectory = made;
  }
  return ownRunDirectory;
}

/**
 * A directory that all tests of a run share, built by whoever asks first while the others wait.
 * Nobody may write to it: copy what has to change.
 */
export async function sharedByRun(name: string, build: Build): Promise<string> {
  const kept = join(runDirectory(), name);
  await buildOnce(kept, build);
  return kept;
}

/**
 * The same, kept for later runs below `$XDG_CACHE_HOME/sluice-tests`, under a name with the hash
 * of all that it is built from: the least recently used ones make room.
 */
export async function cachedByInputs(
  name: string,
  inputs: readonly string[],
  build: Build,
): Promise<string> {
  const caches = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const cache = join(caches, 'sluice-tests');
  mkdirSync(cache, { recursive: true });
  const hash = createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
  const kept = join(cache, `${name}-${hash.slice(0, 16)}`);
  await buildOnce(kept, build);
  const now = new Date();
  utimesSync(kept, now, now);
  trim(cache, now.getTime());
  return kept;
}

function trim(cache: string, nowMs: number): void {
  const entries = readdirSync(cache).flatMap((name) => {
    const path = join(cache, name);
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {};
    return mtimeMs === undefined ? [] : [{ path, mtimeMs }];
  });
  const old = entries.toSorted((a, b) => b.mtimeMs - a.mtimeMs).slice(CACHE_ENTRIES);
  for (const { path, mtimeMs } of old) {
    if (mtimeMs < nowMs - DAY_MS) rmSync(path, { recursive: true, force: true });
  }
}

async function buildOnce(kept: string, build: Build): Promise<void> {
  if (existsSync(kept)) return;
  const release = await lock(kept);
  try {
    if (existsSync(kept)) return;
    const building = mkdtempSync(`${kept}.`);
    try {
      await build(building);
      renameSync(building, kept);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  } finally {
    release();
  }
}

/**
 * Waits for the lock of a path. It is a listening socket in the abstract name space: the kernel
 * gives it up when its holder dies, whatever the way, and that wakes those who wait.
 */
async function lock(path: string): Promise<() => void> {
  const name = `\0sluice-tests-${createHash('sha256').update(path).digest('hex')}`;
  for (;;) {
    const release = await tryLock(name);
    if (release) return release;
    const holder = connect(name)
      .on('error', () => {})
      .resume();
    await new Promise((resolve) => holder.once('close', resolve));
  }
}

/** Answers what gives the lock up, or nothing where another has it. */
async function tryLock(name: string): Promise<(() => void) | undefined> {
  const waiting: Socket[] = [];
  const server = createServer((socket) => {
    waiting.push(socket.on('error', () => {}));
  });
  server.listen(name);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return () => {
    server.close();
    for (const socket of waiting) socket.destroy();
  };
}
