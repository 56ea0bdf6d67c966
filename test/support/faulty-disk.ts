import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './temporary.ts';

/** What a disk does with what it is asked for. */
export const DiskFault = {
  none: 0,
  /** Answers EIO, and does nothing, wherever files have their content; the file system itself goes on. */
  failing: 1,
  /** Does half of one write, and then is dead: the moment at which the power goes. */
  torn: 2,
  /** Answers EIO to everything. */
  dead: 3,
} as const;

export interface FaultyDisk {
  /** Where its file system is, inside its namespace. */
  readonly mount: string;
  reads(fault: 'none' | 'failing'): Promise<void>;
  writes(fault: keyof typeof DiskFault): Promise<void>;
  /** Takes the file system down and up again, with what the disk has; nobody may have a file of it open. */
  restart(): Promise<void>;
  /** The words that run a program where the file system is. */
  inside(program: string, ...words: string[]): [string, string[]];
}

const main = fileURLToPath(new URL('./faulty-disk-main.ts', import.meta.url));

/**
 * A file system on a disk that fails when told to. Needs root, fuse, loop, mkfs.ext4, debugfs, e2fsck,
 * unshare, nsenter and losetup.
 */
export async function faultyDisk(t: TestContext): Promise<FaultyDisk> {
  const directory = temporaryDirectory(t, 'faulty-disk');
  const words = ['--mount', '--propagation', 'private', process.execPath, main, directory];
  const server = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const exited = once(server, 'exit');
  t.after(async () => {
    server.stdin.end();
    await exited;
  });
  const answered = async (expected: string) => {
    const { value } = await lines.next();
    if (value !== expected) throw new Error(`the faulty disk said ${value}, not ${expected}`);
  };
  await answered('ready');
  const order = async (text: string) => {
    server.stdin.write(`${text}\n`);
    await answered(text);
  };
  return {
    mount: join(directory, 'mount'),
    reads: (fault) => order(`read ${DiskFault[fault]}`),
    writes: (fault) => order(`write ${DiskFault[fault]}`),
    restart: () => order('restart'),
    inside: (program, ...rest) => [
      'nsenter',
      ['--mount', `--target=${pidOf(server)}`, program, ...rest],
    ],
  };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the faulty disk did not start');
  return pid;
}
