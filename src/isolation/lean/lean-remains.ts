import type { SandboxRemains } from '../provider.ts';
import type { TmpOptions } from './compose/root.ts';
import { LEAN } from './lean.ts';
import type { ScratchDisks } from './scratch-disks.ts';
import type { SandboxUser, SandboxUsers } from './user-pool.ts';

/**
 * What a sandbox is besides its processes, from its first start until it is discarded: the user
 * that owns what they wrote, and the file of its `/tmp`.
 */
export class LeanRemains implements SandboxRemains {
  readonly isolation = LEAN;
  readonly user: SandboxUser;
  readonly #users: SandboxUsers;
  readonly #scratch: ScratchDisks | undefined;
  readonly #tmpBytes: number;
  #path: string | undefined;
  #isUsed = false;
  #discarded: Promise<void> | undefined;

  /** Without `scratch`, `/tmp` is memory and does not stay. Throws `OVERLOADED`. */
  constructor(users: SandboxUsers, scratch: ScratchDisks | undefined, tmpBytes: number) {
    this.#users = users;
    this.#scratch = scratch;
    this.#tmpBytes = tmpBytes;
    this.user = users.acquire();
  }

  /** What its next processes find; makes the file if there is none yet. */
  async tmp(): Promise<TmpOptions> {
    if (!this.#scratch) return { kind: 'memory', bytes: this.#tmpBytes };
    this.#path ??= await this.#scratch.create(this.#tmpBytes);
    return { kind: 'disk', path: this.#path, isUsed: this.#isUsed };
  }

  /** Processes of it have run. */
  use(): void {
    this.#isUsed = true;
  }

  /** No process of it is left. */
  discard(): Promise<void> {
    this.#discarded ??= this.#discard();
    return this.#discarded;
  }

  async #discard(): Promise<void> {
    this.#users.release(this.user);
    if (this.#path !== undefined) await this.#scratch?.remove(this.#path);
  }
}
