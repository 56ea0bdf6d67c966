import { appendFile, rename, stat } from 'node:fs/promises';
import { type Logger, limits } from '../../base/mod.ts';

export interface LoadTraceFileOptions {
  readonly path: string;
  readonly logger: Logger;
  /** Of both files together; `limits.trace` says unless given. */
  readonly limitBytes?: number;
}

/** Where a trace goes when `path` is full and started again. */
export function olderTrace(path: string): string {
  return `${path}.older`;
}

/**
 * Keeps the last chunk loads of a worker: two files of half the limit each, the newer one appended
 * to. A trace is a help to plan with and fails nothing: what cannot be written is left out.
 */
export class LoadTraceFile {
  readonly #options: LoadTraceFileOptions;
  readonly #halfBytes: number;
  #pending: string[] = [];
  #pendingBytes = 0;
  #sizeBytes: number | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: LoadTraceFileOptions) {
    this.#options = options;
    this.#halfBytes = (options.limitBytes ?? limits.trace.bytes) / 2;
  }

  /** Whole lines of a trace. */
  append(lines: string): void {
    if (this.#pendingBytes + lines.length > limits.trace.pendingBytes) return;
    this.#pending.push(lines);
    this.#pendingBytes += lines.length;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { path, logger } = this.#options;
    while (this.#pending.length > 0) {
      const text = this.#pending.join('');
      this.#pending = [];
      this.#pendingBytes = 0;
      try {
        this.#sizeBytes ??= await sizeOf(path);
        if (this.#sizeBytes > 0 && this.#sizeBytes + text.length > this.#halfBytes) {
          await rename(path, olderTrace(path));
          this.#sizeBytes = 0;
        }
        await appendFile(path, text, { mode: 0o600 });
        this.#sizeBytes += text.length;
      } catch (error) {
        logger.warn({ path, error }, 'chunk loads are missing from the trace');
      }
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}
