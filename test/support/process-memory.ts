import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

const PIECE_BYTES = 4 * 1024 * 1024;

/** Which of the values stand anywhere in the writable memory of a process; needs root. */
export function inMemoryOf(pid: number, values: Readonly<Record<string, Buffer>>): string[] {
  const found = new Set<string>();
  const longest = Math.max(...Object.values(values).map((value) => value.length));
  const file = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const { from, to } of writableMemory(pid)) {
      for (let at = from; at < to; at += PIECE_BYTES) {
        const piece = Buffer.alloc(Math.min(PIECE_BYTES + longest, to - at));
        const bytes = piece.subarray(0, readSomeOf(file, piece, at));
        for (const [name, value] of Object.entries(values)) {
          if (bytes.includes(value)) found.add(name);
        }
      }
    }
  } finally {
    closeSync(file);
  }
  return [...found].sort();
}

function writableMemory(pid: number): { from: number; to: number }[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || to === undefined) return [];
    return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }];
  });
}

/** What was unmapped meanwhile, or belongs to a device, is not there. */
function readSomeOf(file: number, into: Buffer, at: number): number {
  try {
    return readSync(file, into, 0, into.length, at);
  } catch {
    return 0;
  }
}

/** Processes whose command line has this word and whose parent is this one. */
export function childrenOf(parent: number, word: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const isChild = new RegExp(`^PPid:\\s+${parent}$`, 'm').test(status);
      return isChild && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  });
}
