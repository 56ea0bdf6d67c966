import { readFile } from 'node:fs/promises';
import { limits, SluiceError } from '../../base/mod.ts';

/** Who a sandbox's processes are, inside as outside. */
export interface SandboxUser {
  readonly uid: number;
  readonly gid: number;
}

/** Lends users to sandboxes, each to one at a time. */
export interface SandboxUsers {
  /** Throws `OVERLOADED` when all are lent. */
  acquire(): SandboxUser;
  /** No process of the user is left. */
  release(user: SandboxUser): void;
}

export interface UserRange {
  /** The first number, of users and of groups. */
  readonly first: number;
  readonly count: number;
}

/**
 * Users and groups of a range of numbers that nobody else on the host has. What the kernel counts
 * by user (inotify instances, memory of pipes and message queues, queued signals, descriptors under
 * way in sockets) is so counted by sandbox. One that is given back is lent again as late as can be.
 */
export class UserPool implements SandboxUsers {
  readonly #range: UserRange;
  readonly #lent = new Set<number>();
  #next: number;

  /** `startAt` is any number; instances that share a range begin apart by it. */
  constructor(range: UserRange, startAt = 0) {
    this.#range = range;
    this.#next = startAt % range.count;
  }

  acquire(): SandboxUser {
    const { first, count } = this.#range;
    for (let tries = 0; tries < count; tries++) {
      const id = first + this.#next;
      this.#next = (this.#next + 1) % count;
      if (this.#lent.has(id)) continue;
      this.#lent.add(id);
      return { uid: id, gid: id };
    }
    throw new SluiceError('OVERLOADED', `sandboxes: all ${count} users are taken`);
  }

  release({ uid }: SandboxUser): void {
    this.#lent.delete(uid);
  }
}

/** Lines of subuid(5) and passwd(5) whose numbers fall into the range. */
export function claimsOf(range: UserRange, file: 'passwd' | 'subuid', text: string): string[] {
  const end = range.first + range.count;
  return text.split('\n').filter((line) => {
    const fields = line.split(':');
    const isPasswd = file === 'passwd';
    const start = Number.parseInt((isPasswd ? fields[2] : fields[1]) ?? '', 10);
    const count = isPasswd ? 1 : Number.parseInt(fields[2] ?? '', 10);
    return start < end && start + count > range.first;
  });
}

/**
 * The pool of a range that starts at `first`. Throws `CONFIG_INVALID` if the host has given numbers
 * of it away: to an account, or to somebody's containers.
 */
export async function openUserPool(first: number, startAt: number): Promise<UserPool> {
  const range = { first, count: limits.sandbox.users };
  for (const [path, file] of [
    ['/etc/passwd', 'passwd'],
    ['/etc/group', 'passwd'],
    ['/etc/subuid', 'subuid'],
    ['/etc/subgid', 'subuid'],
  ] as const) {
    const [claim] = claimsOf(range, file, await readFile(path, 'utf8').catch(() => ''));
    if (claim === undefined) continue;
    const numbers = `${first} to ${first + range.count - 1}`;
    const message = `sandbox.firstUid: ${path} gives away what is to be the sandboxes’, ${numbers}: ${claim}; set another`;
    throw new SluiceError('CONFIG_INVALID', message);
  }
  return new UserPool(range, startAt);
}
