import type { Readable } from 'node:stream';
import { type Clock, limits, type Timer, WorkBudget } from '../base/mod.ts';
import { LineSplitter } from './line-splitter.ts';

const { outputLineBytes, outputBurstLines, outputSliceLines, outputWindowBytes, outputWindowMs } =
  limits.sandbox;
const SLICE_MS = 1;

export interface OutputReaderOptions {
  readonly stream: Readable;
  readonly clock: Clock;
  readonly onLine: (line: Buffer) => void;
  /** Bytes of lines that were not read before their writer was gone. */
  readonly onDropped: (sizeBytes: number) => void;
  /** Something was printed, or is still being taken. */
  readonly onOutput: () => void;
}

/**
 * Takes one output stream of a sandbox apart into lines, no faster than bytes and lines are allowed,
 * and in slices, so that nobody else waits for a flood of short ones. Its writer waits instead.
 */
export class OutputReader {
  readonly #options: OutputReaderOptions;
  readonly #splitter: LineSplitter;
  readonly #lines: WorkBudget;
  /** What has been read and not yet taken apart. */
  #rest: Buffer | undefined;
  #windowBytes = 0;
  #window: Timer | undefined;
  #slice: Timer | undefined;
  /** Resolves at the stream's end. */
  readonly ended: Promise<void>;

  constructor(options: OutputReaderOptions) {
    const { stream, clock, onLine } = options;
    this.#options = options;
    const { outputLines: units, outputLinesPerSecond: unitsPerSecond } = limits.sandbox;
    this.#lines = new WorkBudget({ clock, units, unitsPerSecond });
    this.#splitter = new LineSplitter(outputLineBytes, (line) => {
      this.#lines.spend(1);
      onLine(line);
    });
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    this.ended = new Promise((resolve) => {
      stream.on('error', () => stream.destroy());
      stream.on('close', () => {
        this.#close();
        resolve();
      });
    });
  }

  /** Whether some of what was read has not had its turn. */
  get isBehind(): boolean {
    return this.#rest !== undefined;
  }

  /** Gives out what has no line end yet. */
  flush(): void {
    this.#splitter.flush();
  }

  #read(chunk: Buffer): void {
    const { clock, stream } = this.#options;
    this.#windowBytes += chunk.length;
    this.#window ??= clock.setTimer(outputWindowMs, () => this.#reopen());
    if (this.#windowBytes > outputWindowBytes) stream.pause();
    this.#take(chunk, this.#lines.isSpent ? outputSliceLines : outputBurstLines);
  }

  #reopen(): void {
    this.#window = undefined;
    this.#windowBytes = 0;
    if (this.#slice === undefined) this.#options.stream.resume();
  }

  /** So many lines; what they leave has its turn later, and nothing is read before. */
  #take(chunk: Buffer, lines: number): void {
    const { clock, stream, onOutput } = this.#options;
    onOutput();
    const taken = this.#splitter.push(chunk, lines);
    this.#rest = taken < chunk.length ? chunk.subarray(taken) : undefined;
    if (this.#rest === undefined && !this.#lines.isSpent) return;
    stream.pause();
    this.#slice = clock.setTimer(SLICE_MS, () => this.#lines.whenLeft(() => this.#again()));
  }

  #again(): void {
    this.#slice = undefined;
    if (this.#rest !== undefined) this.#take(this.#rest, outputSliceLines);
    if (this.#slice === undefined && this.#windowBytes <= outputWindowBytes) {
      this.#options.stream.resume();
    }
  }

  #close(): void {
    this.#window?.cancel();
    this.#slice?.cancel();
    let rest = this.#rest ?? Buffer.alloc(0);
    this.#rest = undefined;
    this.#slice = undefined;
    while (rest.length > 0 && !this.#lines.isSpent) {
      rest = rest.subarray(this.#splitter.push(rest, outputSliceLines));
    }
    if (rest.length > 0) this.#options.onDropped(rest.length);
    this.#splitter.flush();
    this.#lines.close();
  }
}
