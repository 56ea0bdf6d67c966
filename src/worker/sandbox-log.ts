import type { Readable } from 'node:stream';
import { type Clock, formatBytes, limits } from '../base/mod.ts';
import type { Invocation, SandboxRuntimeApi } from '../runtime/mod.ts';
import { LogFormat } from './log-format.ts';
import { OutputReader } from './output-reader.ts';
import { logsDroppedEvent, type PlatformRecord, startEvent } from './platform-events.ts';
import { TailBuffer } from './tail-buffer.ts';
import type { SandboxTemplate } from './template.ts';
import type { LogLine, LogSink } from './types.ts';

const { outputInvokeBytes, outputTailBytes } = limits.sandbox;
type Telemetry = Pick<SandboxRuntimeApi['telemetry'], 'emit' | 'isHeard'>;

const lineEnd = Buffer.from('\n');
const noBytes = Buffer.alloc(0);

/**
 * The log of one sandbox. What its processes print belongs to the invoke that runs, else to init.
 * However much that is, only a bounded part is kept, and it is read no faster than a bounded rate.
 */
export class SandboxLog {
  readonly #template: SandboxTemplate;
  readonly #logStream: string;
  readonly #clock: Clock;
  readonly #sink: LogSink;
  readonly #format: LogFormat;
  #telemetry: Telemetry | undefined;
  #requestId: string | undefined;
  /** Absent while an invoke runs that nobody wants the end of the log of. */
  #tail: TailBuffer | undefined = new TailBuffer(outputTailBytes);
  #takenBytes = 0;
  #droppedBytes = 0;
  #lastOutputAtMs = 0;
  readonly #readers: OutputReader[] = [];

  constructor(template: SandboxTemplate, logStream: string, clock: Clock, sink: LogSink) {
    this.#template = template;
    this.#logStream = logStream;
    this.#clock = clock;
    this.#sink = sink;
    this.#format = new LogFormat(template);
  }

  /** Tells these, too, from now on. */
  telemetryTo(telemetry: Telemetry): void {
    this.#telemetry = telemetry;
  }

  /** The last 4 KiB since `begin`, or of init before the first. */
  get tail(): Buffer {
    return this.#tail?.bytes() ?? noBytes;
  }

  /**
   * What follows belongs to this invoke. Its tail, if it is wanted, starts with what `keepInit`
   * leaves of the init's.
   */
  begin(
    { requestId, logTail }: Pick<Invocation, 'requestId' | 'logTail'>,
    keepInit: boolean,
  ): void {
    this.#reportDropped();
    this.#requestId = requestId;
    if (!logTail) this.#tail = undefined;
    else if (!keepInit) this.#tail = new TailBuffer(outputTailBytes);
    this.#takenBytes = 0;
    this.platform(startEvent(requestId, this.#template.version));
  }

  /** Resolves when nothing has been printed for a moment, or some moments later anyway. */
  async quiet(): Promise<void> {
    const clock = this.#clock;
    const { logQuietMs, logSettleMs } = limits.worker;
    const untilMs = clock.monotonicMs() + logSettleMs;
    const isBusy = () =>
      clock.monotonicMs() < this.#lastOutputAtMs + logQuietMs ||
      this.#readers.some(({ isBehind }) => isBehind);
    do await clock.sleep(logQuietMs);
    while (clock.monotonicMs() < untilMs && isBusy());
  }

  /** Closes the invoke's log, with what is to be said of its failure. */
  end(failureLines: readonly string[], events: readonly PlatformRecord[]): void {
    for (const reader of this.#readers) reader.flush();
    this.#reportDropped();
    if (!this.#format.isJson) for (const line of failureLines) this.#platformLine(line);
    for (const event of events) this.platform(event);
    this.#requestId = undefined;
  }

  /** What belongs to an invoke is in its tail as well, what belongs to init is not. */
  platform(event: PlatformRecord): void {
    const { type, record } = event;
    const isHeard = this.#telemetry?.isHeard === true;
    // Most sandboxes have nobody who listens and a log of text, which has no use for the time.
    const time = isHeard || this.#format.isJson ? this.#time() : '';
    if (isHeard) this.#telemetry?.emit({ time, type, record });
    const line = this.#format.platformLine(event, time);
    if (line === undefined) return;
    if ('requestId' in record || type === 'platform.logsDropped') this.#platformLine(line);
    else this.#write('platform', line);
  }

  #platformLine(text: string): void {
    this.#tail?.push(Buffer.from(`${text}\n`));
    this.#write('platform', text);
  }

  /** Reads one of the sandbox's output streams; resolves at its end. */
  capture(stream: Readable, source: 'function' | 'extension' = 'function'): Promise<void> {
    const reader = new OutputReader({
      stream,
      clock: this.#clock,
      onLine: (line) => this.#line(line, source),
      onDropped: (sizeBytes) => {
        this.#droppedBytes += sizeBytes;
      },
      onOutput: () => {
        this.#lastOutputAtMs = this.#clock.monotonicMs();
      },
    });
    this.#readers.push(reader);
    return reader.ended;
  }

  #line(line: Buffer, source: 'function' | 'extension'): void {
    this.#takenBytes += line.length + 1;
    if (this.#takenBytes > outputInvokeBytes) {
      this.#droppedBytes += line.length + 1;
      return;
    }
    const text = line.toString('utf8');
    const { record, kept } = this.#format.applicationLine(text);
    if (!kept) return;
    if (this.#telemetry?.isHeard) {
      this.#telemetry.emit({ time: this.#time(), type: source, record });
    }
    this.#tail?.push(line);
    this.#tail?.push(lineEnd);
    this.#write(source, text);
  }

  #reportDropped(): void {
    if (this.#droppedBytes === 0) return;
    const dropped = formatBytes(this.#droppedBytes);
    const text = `${dropped} over the limit of ${formatBytes(outputInvokeBytes)}`;
    const event = logsDroppedEvent(text, this.#droppedBytes);
    this.#droppedBytes = 0;
    this.platform(event);
  }

  #time(): string {
    return new Date(this.#clock.nowMs()).toISOString();
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
