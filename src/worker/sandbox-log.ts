import type { Readable } from 'node:stream';
import type { SandboxTemplate } from '../assignment/mod.ts';
import { type Clock, formatBytes, limits, type Timer } from '../base/mod.ts';
import { LineSplitter } from './line-splitter.ts';
import { TailBuffer } from './tail-buffer.ts';
import type { LogLine, LogSink } from './types.ts';

const { outputInvokeBytes, outputLineBytes, outputTailBytes, outputWindowBytes, outputWindowMs } =
  limits.sandbox;
const lineEnd = Buffer.from('\n');

/**
 * The log of one sandbox. What its processes print belongs to the invoke that runs, else to init.
 * However much that is, only a bounded part is kept, and it is read no faster than a bounded rate.
 */
export class SandboxLog {
  readonly #template: SandboxTemplate;
  readonly #logStream: string;
  readonly #clock: Clock;
  readonly #sink: LogSink;
  #requestId: string | undefined;
  #tail = new TailBuffer(outputTailBytes);
  #takenBytes = 0;
  #droppedBytes = 0;
  #lastOutputAtMs = 0;
  readonly #splitters: LineSplitter[] = [];

  constructor(template: SandboxTemplate, logStream: string, clock: Clock, sink: LogSink) {
    this.#template = template;
    this.#logStream = logStream;
    this.#clock = clock;
    this.#sink = sink;
  }

  /** The last 4 KiB since `begin`, or of init before the first. */
  get tail(): Buffer {
    return this.#tail.bytes();
  }

  /** What follows belongs to this invoke; it starts with what `keepInit` leaves of the init's. */
  begin(requestId: string, keepInit: boolean): void {
    this.#reportDropped();
    this.#requestId = requestId;
    if (!keepInit) this.#tail = new TailBuffer(outputTailBytes);
    this.#takenBytes = 0;
    this.platform(`START RequestId: ${requestId} Version: ${this.#template.version}`);
  }

  /** Resolves when nothing has been printed for a moment, or some moments later anyway. */
  async quiet(): Promise<void> {
    const clock = this.#clock;
    const untilMs = clock.monotonicMs() + limits.worker.logSettleMs;
    do await clock.sleep(limits.worker.logQuietMs);
    while (
      clock.monotonicMs() < Math.min(untilMs, this.#lastOutputAtMs + limits.worker.logQuietMs)
    );
  }

  /** Closes the invoke's log, with what is to be said of its failure. */
  end(failureLines: readonly string[], reportLine: string): void {
    for (const splitter of this.#splitters) splitter.flush();
    this.#reportDropped();
    for (const line of failureLines) this.platform(line);
    this.platform(`END RequestId: ${this.#requestId}`);
    this.platform(reportLine);
    this.#requestId = undefined;
  }

  platform(text: string): void {
    this.#tail.push(Buffer.from(`${text}\n`));
    this.#write('platform', text);
  }

  /** Reads one of the sandbox's output streams; resolves at its end. */
  capture(stream: Readable): Promise<void> {
    const splitter = new LineSplitter(outputLineBytes, (line) => this.#line(line));
    this.#splitters.push(splitter);
    let windowBytes = 0;
    let window: Timer | undefined;
    const reopen = () => {
      window = undefined;
      windowBytes = 0;
      stream.resume();
    };
    stream.on('data', (chunk: Buffer) => {
      splitter.push(chunk);
      this.#lastOutputAtMs = this.#clock.monotonicMs();
      windowBytes += chunk.length;
      window ??= this.#clock.setTimer(outputWindowMs, reopen);
      if (windowBytes > outputWindowBytes) stream.pause();
    });
    return new Promise((resolve) => {
      stream.on('error', () => stream.destroy());
      stream.on('close', () => {
        splitter.flush();
        window?.cancel();
        resolve();
      });
    });
  }

  #line(line: Buffer): void {
    this.#takenBytes += line.length + 1;
    if (this.#takenBytes > outputInvokeBytes) {
      this.#droppedBytes += line.length + 1;
      return;
    }
    this.#tail.push(line);
    this.#tail.push(lineEnd);
    this.#write('function', line.toString('utf8'));
  }

  #reportDropped(): void {
    if (this.#droppedBytes === 0) return;
    const dropped = formatBytes(this.#droppedBytes);
    this.#droppedBytes = 0;
    this.platform(`LOGS_DROPPED ${dropped} over the limit of ${formatBytes(outputInvokeBytes)}`);
  }

  #write(source: LogLine['source'], text: string): void {
    this.#sink.write({
      timeEpochMs: this.#clock.nowMs(),
      accountId: this.#template.accountId,
      logGroup: this.#template.logGroup,
      logStream: this.#logStream,
      requestId: this.#requestId,
      source,
      text,
    });
  }
}
