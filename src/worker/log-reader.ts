import { open } from 'node:fs/promises';
import { type Clock, limits, systemErrorCode } from '../base/mod.ts';
import { LineSplitter } from './line-splitter.ts';
import { groupDirectory, listSegments, type StoredLine, segmentPath } from './log-segments.ts';

export interface ReadLogOptions {
  /** The log store's directory. */
  readonly directory: string;
  readonly accountId: string;
  readonly logGroup: string;
  /** Begins with so many of the last lines; absent: with the oldest that is kept. */
  readonly last?: number | undefined;
  /** Waits for more at the end, until the signal aborts. */
  readonly follow?: boolean;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Hears of each line that cannot be read, by the file that has it. */
  readonly onDamaged?: ((path: string) => void) | undefined;
}

/** A line's JSON can be six times its text, which itself has a limit. */
const jsonBytesMax = 8 * limits.sandbox.outputLineBytes;

/**
 * Reads a group's log from its files, whether or not a region runs on them. A line that is being
 * written is read once it is whole; segments that go away meanwhile are passed over.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<StoredLine> {
  const { clock, last, follow, signal } = options;
  const { directory, accountId, logGroup, onDamaged = () => {} } = options;
  const cursor = new Cursor(groupDirectory(directory, accountId, logGroup), onDamaged);
  let first = await cursor.read();
  if (last !== undefined) first = last === 0 ? [] : first.slice(-last);
  yield* first;
  while (follow && !signal?.aborted) {
    try {
      await clock.sleep(limits.logs.followMs, signal);
    } catch (error) {
      if (signal?.aborted) return;
      throw error;
    }
    yield* await cursor.read();
  }
}

/** Remembers how far a group has been read. */
class Cursor {
  readonly #directory: string;
  #number = 0;
  #offset = 0;
  #lines: StoredLine[] = [];
  readonly #splitter = new LineSplitter(jsonBytesMax, (line) => this.#take(line));
  readonly #onDamaged: (path: string) => void;

  constructor(directory: string, onDamaged: (path: string) => void) {
    this.#directory = directory;
    this.#onDamaged = onDamaged;
  }

  /** All whole lines that have come since the last call. */
  async read(): Promise<StoredLine[]> {
    this.#lines = [];
    for (const number of await listSegments(this.#directory)) {
      if (number < this.#number) continue;
      if (number > this.#number) this.#offset = 0;
      this.#number = number;
      await this.#readSegment(segmentPath(this.#directory, number));
    }
    return this.#lines;
  }

  async #readSegment(path: string): Promise<void> {
    try {
      await using file = await open(path);
      for await (const chunk of file.createReadStream({ start: this.#offset, autoClose: false })) {
        this.#offset += (chunk as Buffer).length;
        this.#splitter.push(chunk as Buffer);
      }
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }

  /** A crash can cut a line short, a disk can damage one: the others are still read. */
  #take(line: Buffer): void {
    const stored = parseLine(line.toString('utf8'));
    if (stored) this.#lines.push(stored);
    else this.#onDamaged(segmentPath(this.#directory, this.#number));
  }
}

function parseLine(text: string): StoredLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<StoredLine> | null;
    const isTime = Number.isFinite(new Date(line?.timeEpochMs ?? Number.NaN).getTime());
    const isLine = isTime && typeof line?.text === 'string' && typeof line.stream === 'string';
    return isLine ? (line as StoredLine) : undefined;
  } catch {
    return undefined;
  }
}
