import { closeSync, constants, openSync, readSync } from 'node:fs';
import { link, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { assert, type Clock, limits, type Random, systemErrorCode } from '../base/mod.ts';
import type { PutOutcome } from '../seal/mod.ts';
import { absentAs, inFolder, removeEmpty, storageError, syncFolder, walk } from './object-files.ts';
import { checkKey, type ObjectStore, type ObjectUsage } from './object-store.ts';

const TEMPORARY = 'tmp';

/**
 * Objects as files below one directory. An object appears whole or not at all, also after
 * `kill -9` and power failure: its bytes are written and synced under a name in `tmp/`, then
 * linked to their place. Any number of processes may share the directory.
 */
export class DirectoryObjects implements ObjectStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;
  #swept: Promise<void> | undefined;

  constructor(directory: string, clock: Clock, random: Random) {
    this.#directory = directory;
    this.#clock = clock;
    this.#random = random;
  }

  async get(key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    signal?.throwIfAborted();
    const path = this.#path(key);
    const file = await absentAs(undefined, open(path, 'r'), path);
    if (!file) return undefined;
    try {
      const { size } = await file.stat();
      const bytes = Buffer.allocUnsafeSlow(size);
      let at = 0;
      while (at < size) {
        const { bytesRead } = await file.read(bytes, at, size - at, at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes.subarray(0, at);
    } catch (error) {
      throw storageError(error, path);
    } finally {
      await file.close();
    }
  }

  readIntoSync(key: string, into: Buffer): number | undefined {
    let file: number;
    try {
      file = openSync(this.#path(key), 'r');
    } catch {
      return undefined;
    }
    try {
      return readSync(file, into, 0, into.length, 0);
    } catch {
      return undefined;
    } finally {
      closeSync(file);
    }
  }

  async readInto(key: string, into: Buffer): Promise<number | undefined> {
    const file = await open(this.#path(key), 'r').catch(() => undefined);
    if (!file) return undefined;
    try {
      return (await file.read(into, 0, into.length, 0)).bytesRead;
    } catch {
      return undefined;
    } finally {
      await file.close();
    }
  }

  async putIfAbsent(key: string, bytes: Buffer): Promise<PutOutcome> {
    const path = this.#path(key);
    if (await absentAs(undefined, stat(path), path)) return 'present';
    return await this.#write(path, bytes, async (temporary) => {
      try {
        await inFolder(path, () => link(temporary, path));
        return 'stored';
      } catch (error) {
        if (systemErrorCode(error) === 'EEXIST') return 'present';
        throw error;
      } finally {
        await unlink(temporary);
      }
    });
  }

  async replace(key: string, bytes: Buffer): Promise<void> {
    const path = this.#path(key);
    await this.#write(path, bytes, (temporary) => inFolder(path, () => rename(temporary, path)));
    await syncFolder(dirname(path));
  }

  async *list(prefix: string, after = ''): AsyncIterable<string> {
    for await (const path of walk(this.#folder(prefix), after && this.#path(after))) {
      yield relative(this.#directory, path).split(sep).join('/');
    }
  }

  async usage(prefix: string): Promise<ObjectUsage> {
    let objects = 0;
    let bytes = 0;
    const measure = async (path: string) => {
      const found = await absentAs(undefined, stat(path), path);
      if (!found) return;
      objects++;
      bytes += found.size;
    };
    let batch: Promise<void>[] = [];
    for await (const path of walk(this.#folder(prefix))) {
      batch.push(measure(path));
      if (batch.length < limits.origin.parallelGets) continue;
      await Promise.all(batch);
      batch = [];
    }
    await Promise.all(batch);
    return { objects, bytes };
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const path = this.#path(key);
      await absentAs(undefined, unlink(path), path);
    }
    // What is empty now goes too, so that nothing is left of a deleted root.
    for (const folder of new Set(keys.map((key) => dirname(this.#path(key))))) {
      await removeEmpty(folder, this.#directory);
    }
  }

  async settle(keys: Iterable<string>): Promise<void> {
    const folders = new Set<string>();
    for (const key of keys) {
      let folder = dirname(this.#path(key));
      while (folder.length >= this.#directory.length && !folders.has(folder)) {
        folders.add(folder);
        folder = dirname(folder);
      }
    }
    for (const folder of folders) await syncFolder(folder);
  }

  /** Writes and syncs the bytes under a temporary name and hands that to `place`; cleans up. */
  async #write<T>(
    path: string,
    bytes: Buffer,
    place: (temporary: string) => Promise<T>,
  ): Promise<T> {
    this.#swept ??= this.#sweep();
    await this.#swept;
    const name = `${process.pid}-${this.#random.bytes(8).toString('hex')}`;
    const temporary = join(this.#directory, TEMPORARY, name);
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      const file = await inFolder(temporary, () => open(temporary, flags, 0o600));
      try {
        await file.writeFile(bytes);
        await file.datasync();
      } finally {
        await file.close();
      }
      return await place(temporary);
    } catch (error) {
      await rm(temporary, { force: true });
      throw storageError(error, path);
    }
  }

  /** Removes what writers that were killed left in `tmp/`; nobody takes an hour for one object. */
  async #sweep(): Promise<void> {
    const folder = join(this.#directory, TEMPORARY);
    for (const name of (await absentAs(undefined, readdir(folder), folder)) ?? []) {
      const path = join(folder, name);
      const found = await absentAs(undefined, stat(path), path);
      if (!found || this.#clock.nowMs() - found.mtimeMs < limits.origin.temporaryMs) continue;
      await rm(path, { force: true });
    }
  }

  #path(key: string): string {
    return join(this.#directory, checkKey(key));
  }

  #folder(prefix: string): string {
    assert(prefix.endsWith('/'), 'a prefix ends in a slash');
    return this.#path(prefix.slice(0, -1));
  }
}
