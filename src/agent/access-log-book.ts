import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, limits } from '../base/mod.ts';
import {
  type AccessLog,
  encodeAccessLog,
  fitOf,
  isStale,
  mergeAccessLogs,
  parseAccessLog,
} from '../device/mod.ts';

interface Entry {
  /** Of the first starts, until there are enough of them. */
  readonly logs: AccessLog[];
  merged: AccessLog | undefined;
}

export interface KnownStarts {
  /** What they read. */
  readonly merged: AccessLog;
  /** The last one added to it. */
  readonly isChanged: boolean;
  /** The last one was not like those before: what was made of their log no longer fits. */
  readonly isRenewed: boolean;
}

/**
 * Remembers what starts of a disk read: the first few starts are recorded and merged, later ones
 * replay that. A start that the log did not predict begins a new record. In memory it keeps as
 * many logs as `limits` says, the rest on disk.
 */
export class AccessLogBook {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();
  /** Of the whole process: no two books write one temporary file. */
  static #names = 0;
  #saves = 0;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  /** What to fetch ahead of a start's reads, if starts of this disk are known. */
  async logOf(manifestId: string): Promise<AccessLog | undefined> {
    return (await this.#entry(manifestId)).merged;
  }

  /** A start is over; `log` is what it read. Answers what is known of starts now. */
  async started(log: AccessLog): Promise<KnownStarts> {
    const entry = await this.#entry(log.manifestId);
    const isRenewed = entry.merged !== undefined && isStale(fitOf(entry.merged, log));
    if (isRenewed) {
      entry.logs.length = 0;
      entry.merged = undefined;
    }
    const isSettled = entry.merged && entry.logs.length === 0;
    if (entry.merged && (isSettled || entry.logs.length >= limits.device.accessLogsMerged)) {
      return { merged: entry.merged, isChanged: false, isRenewed };
    }
    entry.logs.push(log);
    entry.merged = mergeAccessLogs(entry.logs);
    const { merged } = entry;
    await this.#save(merged);
    return { merged, isChanged: true, isRenewed };
  }

  async #entry(manifestId: string): Promise<Entry> {
    const known = this.#entries.get(manifestId);
    if (known) return known;
    const entry: Entry = { logs: [], merged: await this.#load(manifestId) };
    this.#entries.set(manifestId, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > limits.device.accessLogsKept && oldest) this.#entries.delete(oldest);
    return entry;
  }

  /** A log only saves time, so one that cannot be read is as good as none. */
  async #load(manifestId: string): Promise<AccessLog | undefined> {
    try {
      return parseAccessLog(await readFile(this.#path(manifestId), 'utf8'));
    } catch {
      return undefined;
    }
  }

  async #save(log: AccessLog): Promise<void> {
    const path = this.#path(log.manifestId);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      // Of its own: two starts of one version end together, and each file is whole.
      const temporary = `${path}.${process.pid}-${AccessLogBook.#names++}.new`;
      await writeFile(temporary, encodeAccessLog(log));
      await rename(temporary, path);
      this.#saves += 1;
      if (this.#saves % limits.device.accessLogsPerSweep === 1) await this.#sweep();
    } catch (error) {
      this.#logger.warn({ manifestId: log.manifestId, error }, 'an access log is not kept');
    }
  }

  /** Removes the oldest beyond a limit, and what killed writers left. */
  async #sweep(): Promise<void> {
    const names = await readdir(this.#directory);
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        const found = await stat(path).catch(() => undefined);
        return { path, atMs: found?.mtimeMs ?? 0, isLog: name.endsWith('.json') };
      }),
    );
    const logs = files.filter(({ isLog }) => isLog).sort((a, b) => b.atMs - a.atMs);
    const newestMs = logs[0]?.atMs ?? 0;
    const stray = files.filter(
      ({ isLog, atMs }) => !isLog && newestMs - atMs > limits.origin.temporaryMs,
    );
    for (const { path } of [...logs.slice(limits.device.accessLogsOnDisk), ...stray]) {
      await rm(path, { force: true });
    }
  }

  #path(manifestId: string): string {
    return join(this.#directory, `${manifestId}.json`);
  }
}
