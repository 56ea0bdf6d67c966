import { appendFile, mkdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Clock, type Logger, limits, systemErrorCode, type Timer } from '../base/mod.ts';
import {
  foldersIn,
  groupDirectory,
  type LogGroup,
  type LogSegment,
  listSegments,
  segmentPath,
  storedLine,
} from './log-segments.ts';
import type { LogLine, LogSink } from './types.ts';

/** Of the lines that wait to be written: others' are not dropped for one account's. */
const PENDING_PART_PER_ACCOUNT = 1 / 2;

export interface LogStoreLimits {
  readonly groupBytes: number;
  readonly totalBytes: number;
  readonly segmentBytes: number;
  readonly pendingBytes: number;
  readonly flushMs: number;
}

export interface LogStoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<LogStoreLimits>;
}

/**
 * Keeps functions' logs on disk: a directory for each log group, its lines in numbered segments of
 * JSON lines. Writing never waits; lines reach the disk within a moment, and the oldest segments go
 * when a group grows over its limit; when all together do, those of the account that has most.
 */
export class FileLogStore implements LogSink {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: LogStoreLimits;
  readonly #groups = new Map<string, LogGroup>();
  /** The same by account and log group, of those written to. */
  readonly #byName = new Map<string, LogGroup>();
  readonly #dirty = new Set<LogGroup>();
  /** Oldest first, as far as their order in time is known. */
  #segments: LogSegment[] = [];
  #totalBytes = 0;
  readonly #byAccount = new Map<string, number>();
  readonly #accounts = new Map<string, LogGroup['account']>();
  #pendingBytes = 0;
  #dropped = 0;
  #timer: Timer | undefined;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(options: LogStoreOptions) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#limits = { ...limits.logs, ...options.limits };
  }

  /** Takes up what an earlier life has written. */
  static async open(options: LogStoreOptions): Promise<FileLogStore> {
    const store = new FileLogStore(options);
    await mkdir(options.directory, { recursive: true });
    await store.#load();
    return store;
  }

  write(line: LogLine): void {
    const { pendingBytes } = this.#limits;
    const group = this.#groupOf(line);
    const own = group.account.pendingBytes;
    if (this.#pendingBytes > pendingBytes || own > pendingBytes * PENDING_PART_PER_ACCOUNT) {
      this.#dropped++;
      return;
    }
    group.pending.push(line);
    this.#pend(group, line.text.length);
    this.#dirty.add(group);
    this.#timer ??= this.#clock.setTimer(this.#limits.flushMs, () => void this.flush());
  }

  /** Resolves when what was written before is on disk. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  close(): Promise<void> {
    return this.flush();
  }

  /** Removes a group and all its lines. */
  async remove(accountId: string, logGroup: string): Promise<void> {
    await this.flush();
    const directory = groupDirectory(this.#directory, accountId, logGroup);
    const group = this.#groups.get(directory);
    if (group) for (const segment of [...group.segments]) this.#forget(segment);
    this.#groups.delete(directory);
    this.#byName.delete(`${accountId} ${logGroup}`);
    await rm(directory, { recursive: true, force: true });
  }

  /** Three lines an invoke ask for it, and a directory's name costs a hash. */
  #groupOf({ accountId, logGroup }: LogLine): LogGroup {
    const name = `${accountId} ${logGroup}`;
    let group = this.#byName.get(name);
    if (!group) {
      group = this.#group(groupDirectory(this.#directory, accountId, logGroup));
      this.#byName.set(name, group);
    }
    return group;
  }

  #group(directory: string): LogGroup {
    let group = this.#groups.get(directory);
    if (!group) {
      const accountId = basename(dirname(directory));
      const account = this.#accounts.get(accountId) ?? { pendingBytes: 0 };
      this.#accounts.set(accountId, account);
      group = { directory, accountId, account, segments: [], pending: [] };
      this.#groups.set(directory, group);
    }
    return group;
  }

  async #load(): Promise<void> {
    const found: { segment: LogSegment; modifiedMs: number }[] = [];
    const accounts = await foldersIn(this.#directory);
    for (const account of accounts.filter((name) => /^\d{12}$/.test(name))) {
      for (const name of await foldersIn(join(this.#directory, account))) {
        const group = this.#group(join(this.#directory, account, name));
        for (const number of await listSegments(group.directory)) {
          const { size, mtimeMs } = await stat(segmentPath(group.directory, number));
          const segment = { group, number, sizeBytes: size };
          group.segments.push(segment);
          found.push({ segment, modifiedMs: mtimeMs });
          this.#count(segment, size);
        }
      }
    }
    found.sort((a, b) => a.modifiedMs - b.modifiedMs);
    this.#segments = found.map(({ segment }) => segment);
  }

  async #flush(): Promise<void> {
    const groups = [...this.#dirty];
    this.#dirty.clear();
    for (const group of groups) {
      const lines = group.pending;
      group.pending = [];
      this.#pend(group, -lines.reduce((sum, { text }) => sum + text.length, 0));
      try {
        await this.#append(group, lines);
      } catch (error) {
        this.#dropped += lines.length;
        this.#logger.warn({ directory: group.directory, error }, 'a log was not written');
      }
    }
    if (this.#dropped > 0) this.#logger.warn({ lines: this.#dropped }, 'log lines were dropped');
    this.#dropped = 0;
  }

  async #append(group: LogGroup, lines: readonly LogLine[]): Promise<void> {
    let segment = group.segments.at(-1);
    let text = '';
    for (const line of lines) {
      text += `${JSON.stringify(storedLine(line))}\n`;
      if (text.length < this.#limits.segmentBytes) continue;
      segment = await this.#write(group, segment, text);
      text = '';
    }
    if (text !== '') await this.#write(group, segment, text);
    await this.#retain(group);
  }

  /** Writes to the segment, or to the next one if it is full; answers the one written to. */
  async #write(
    group: LogGroup,
    current: LogSegment | undefined,
    text: string,
  ): Promise<LogSegment> {
    let segment = current;
    if (!segment || segment.sizeBytes >= this.#limits.segmentBytes) {
      segment = { group, number: (segment?.number ?? 0) + 1, sizeBytes: 0 };
      await mkdir(group.directory, { recursive: true });
      group.segments.push(segment);
      this.#segments.push(segment);
    }
    await appendFile(segmentPath(group.directory, segment.number), text);
    const sizeBytes = Buffer.byteLength(text);
    segment.sizeBytes += sizeBytes;
    this.#count(segment, sizeBytes);
    return segment;
  }

  async #retain(group: LogGroup): Promise<void> {
    const { groupBytes, totalBytes } = this.#limits;
    let sizeBytes = group.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    while (sizeBytes > groupBytes && group.segments.length > 1) {
      const oldest = group.segments[0] as LogSegment;
      sizeBytes -= oldest.sizeBytes;
      await this.#drop(oldest);
    }
    while (this.#totalBytes > totalBytes && this.#segments.length > 1) {
      await this.#drop(this.#oldestOfTheLargest());
    }
  }

  #pend({ account }: LogGroup, bytes: number): void {
    this.#pendingBytes += bytes;
    account.pendingBytes += bytes;
  }

  /** Who has written most makes room: others keep what they have. */
  #oldestOfTheLargest(): LogSegment {
    let largest = '';
    for (const [accountId, bytes] of this.#byAccount) {
      if (bytes > (this.#byAccount.get(largest) ?? -1)) largest = accountId;
    }
    return this.#segments.find(({ group }) => group.accountId === largest) as LogSegment;
  }

  #count({ group }: LogSegment, bytes: number): void {
    this.#totalBytes += bytes;
    this.#byAccount.set(group.accountId, (this.#byAccount.get(group.accountId) ?? 0) + bytes);
  }

  async #drop(segment: LogSegment): Promise<void> {
    this.#forget(segment);
    try {
      await rm(segmentPath(segment.group.directory, segment.number));
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }

  #forget(segment: LogSegment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    const { segments } = segment.group;
    segments.splice(segments.indexOf(segment), 1);
    this.#count(segment, -segment.sizeBytes);
  }
}
