import { SluiceError } from '../../base/mod.ts';
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
  #file: Promise<string> | undefined;
  #isUsed = false;
  #discarded: Promise<void> | undefined;

  /** Without `scratch`, `/tmp` is memory and does not stay. Throws `OVERLOADED`. */
  constructor(users: SandboxUsers, scratch: ScratchDisks | undefined, tmpBytes: number) {
    this.#users = users;
    this.#scratch = scratch;
    this.#tmpBytes = tmpBytes;
    this.user = users.acquire();
  }

  /**
   * What its next processes find; makes the file if there is none yet. Rejects with `CANCELLED` once
   * it is discarded.
   */
  async tmp(): Promise<TmpOptions> {
    if (this.#discarded) throw new SluiceError('CANCELLED', 'a start went on after its end');
    if (!this.#scratch) return { kind: 'memory', bytes: this.#tmpBytes };
    this.#file ??= this.#scratch.create(this.#tmpBytes);
    return { kind: 'disk', path: await this.#file, isUsed: this.#isUsed };
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
    // A start that was given up may be in the midst of making it.
    const path = await this.#file?.catch(() => undefined);
    if (path !== undefined) await this.#scratch?.remove(path);
  }
}
