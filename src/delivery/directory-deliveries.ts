import { mkdir, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import { replaceFile } from '../config/mod.ts';
import type { Delivery, StoredEvent } from '../queue/mod.ts';

/**
 * Writes messages as files, a folder an account and a folder a name in it. An account may hold so
 * many bytes; whoever takes files away makes room.
 */
export class DirectoryDeliveries {
  readonly #root: string;
  readonly #bytesPerAccount: number;
  /** Account → bytes, reckoned since the folder was last measured. */
  readonly #used = new Map<string, number>();

  constructor(root: string, bytesPerAccount: number) {
    this.#root = root;
    this.#bytesPerAccount = bytesPerAccount;
  }

  /** A file a message, whole or not at all. Rejects with `OVERLOADED` when the account has its fill. */
  async write(delivery: Delivery, event: StoredEvent, name: string): Promise<void> {
    const { accountId, requestId } = event;
    await this.#take(accountId, sizeOf(Buffer.byteLength(delivery.body)));
    const directory = join(this.#root, accountId, name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, `${requestId}-${delivery.kind}.json`);
    await replaceFile(path, delivery.body);
  }

  async #take(accountId: string, bytes: number): Promise<void> {
    const known = this.#used.get(accountId);
    let used = known ?? (await this.#measure(accountId));
    if (known !== undefined && known + bytes > this.#bytesPerAccount) {
      used = await this.#measure(accountId);
    }
    this.#used.set(accountId, used);
    if (used + bytes > this.#bytesPerAccount) {
      throw new SluiceError(
        'OVERLOADED',
        `${join(this.#root, accountId)}: holds its limit of ${this.#bytesPerAccount} bytes`,
      );
    }
    this.#used.set(accountId, used + bytes);
  }

  async #measure(accountId: string): Promise<number> {
    const folder = join(this.#root, accountId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    let bytes = 0;
    for await (const entry of await opendir(folder, { recursive: true })) {
      if (!entry.isFile()) continue;
      // A file that was taken away meanwhile takes no room.
      const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
      bytes += found ? sizeOf(found.size) : 0;
    }
    return bytes;
  }
}

/** What a file takes of a disk: whole blocks. */
function sizeOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / PAGE_SIZE_BYTES)) * PAGE_SIZE_BYTES;
}
