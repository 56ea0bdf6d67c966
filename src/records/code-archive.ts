import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, fileError, type Random, SluiceError, systemErrorCode } from '../base/mod.ts';

/**
 * Zip archives as they were uploaded: what an install reads, again after a crash, and what
 * `GetFunction` hands out. Named by account and SHA-256 in hexadecimal; one account's archives
 * say nothing of another's.
 */
export interface CodeArchive {
  /** Durable when it resolves; the same bytes again change nothing. Answers the name. */
  put(accountId: string, bytes: Buffer): Promise<string>;
  /** Rejects with `CODE_NOT_FOUND`, and `STORE_CORRUPT` for bytes that are not the archive's. */
  get(accountId: string, sha256: string): Promise<Buffer>;
  /** The accounts that have archives. */
  accounts(): Promise<string[]>;
  /** The names of an account's archives. */
  list(accountId: string): Promise<string[]>;
  /** Removing what is not there is no error. */
  remove(accountId: string, sha256: string): Promise<void>;
}

const nameOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

function missing(sha256: string, cause?: unknown): SluiceError {
  return new SluiceError('CODE_NOT_FOUND', `${sha256}: no such archive`, { cause });
}

/** One file an archive below a directory of the account's. */
export class DirectoryCodeArchive implements CodeArchive {
  readonly #directory: string;
  readonly #random: Random;

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  async put(accountId: string, bytes: Buffer): Promise<string> {
    const name = nameOf(bytes);
    const path = this.#path(accountId, name);
    const temporary = `${path}.${this.#random.uuid()}`;
    try {
      await mkdir(join(this.#directory, accountId), { recursive: true, mode: 0o700 });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncDirectory(join(this.#directory, accountId));
      return name;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw fileError(error, path);
    }
  }

  async get(accountId: string, sha256: string): Promise<Buffer> {
    const path = this.#path(accountId, sha256);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw systemErrorCode(error) === 'ENOENT' ? missing(sha256, error) : fileError(error, path);
    });
    if (nameOf(bytes) === sha256) return bytes;
    throw new SluiceError('STORE_CORRUPT', `${path}: the archive is damaged; upload it again`, {
      data: { path },
    });
  }

  async accounts(): Promise<string[]> {
    return (await this.#names('')).filter((name) => /^\d{12}$/.test(name));
  }

  async list(accountId: string): Promise<string[]> {
    const names = await this.#names(accountId);
    return names.flatMap((name) => /^([0-9a-f]{64})\.zip$/.exec(name)?.[1] ?? []);
  }

  async remove(accountId: string, sha256: string): Promise<void> {
    await rm(this.#path(accountId, sha256), { force: true });
  }

  /** Clears what killed writers left; nobody may be writing. */
  async removeUnfinished(): Promise<void> {
    for (const accountId of await this.accounts()) {
      for (const name of await this.#names(accountId)) {
        if (name.endsWith('.zip')) continue;
        await rm(join(this.#directory, accountId, name), { force: true });
      }
    }
  }

  async #names(accountId: string): Promise<string[]> {
    const folder = join(this.#directory, accountId);
    try {
      return await readdir(folder);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw fileError(error, folder);
    }
  }

  #path(accountId: string, sha256: string): string {
    assert(/^\d{12}$/.test(accountId) && /^[0-9a-f]{64}$/.test(sha256), 'a name and no path');
    return join(this.#directory, accountId, `${sha256}.zip`);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** For tests. */
export class MemoryCodeArchive implements CodeArchive {
  readonly #archives = new Map<string, Buffer>();

  async put(accountId: string, bytes: Buffer): Promise<string> {
    const name = nameOf(bytes);
    this.#archives.set(`${accountId}/${name}`, Buffer.from(bytes));
    return name;
  }

  async get(accountId: string, sha256: string): Promise<Buffer> {
    const bytes = this.#archives.get(`${accountId}/${sha256}`);
    if (!bytes) throw missing(sha256);
    return bytes;
  }

  async accounts(): Promise<string[]> {
    return [...new Set([...this.#archives.keys()].map((key) => key.slice(0, 12)))];
  }

  async list(accountId: string): Promise<string[]> {
    const own = [...this.#archives.keys()].filter((key) => key.startsWith(`${accountId}/`));
    return own.map((key) => key.slice(accountId.length + 1));
  }

  async remove(accountId: string, sha256: string): Promise<void> {
    this.#archives.delete(`${accountId}/${sha256}`);
  }
}
