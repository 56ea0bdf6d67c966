import { readFile } from 'node:fs/promises';
import {
  type Clock,
  fileError,
  type Logger,
  limits,
  SluiceError,
  systemErrorCode,
  type Timer,
} from '../base/mod.ts';
import { replaceFile } from '../config/mod.ts';
import { type FunctionUsage, UsageLedger } from './usage.ts';

/**
 * Keeps a ledger in a file, replaced whole soon after a change, and every few seconds while more
 * come; a crash costs at most what was used since.
 */
export class UsageFile {
  readonly ledger: UsageLedger;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #notBeforeMs = 0;
  #closed = false;

  private constructor(path: string, ledger: UsageLedger, clock: Clock, logger: Logger) {
    this.#path = path;
    this.ledger = ledger;
    this.#clock = clock;
    this.#logger = logger;
    ledger.onChange(() => this.#saveSoon());
  }

  /** Rejects with `STORE_CORRUPT` when the file is not one of ours. */
  static async open(options: { path: string; clock: Clock; logger: Logger }): Promise<UsageFile> {
    const { path, clock, logger } = options;
    return new UsageFile(path, new UsageLedger(await readUsage(path)), clock, logger);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#save();
  }

  #saveSoon(): void {
    if (this.#timer || this.#closed) return;
    const waitMs = this.#notBeforeMs - this.#clock.monotonicMs();
    this.#timer = this.#clock.setTimer(Math.max(limits.usage.saveSoonMs, waitMs), () => {
      this.#timer = undefined;
      this.#notBeforeMs = this.#clock.monotonicMs() + limits.usage.saveMs;
      void this.#save();
    });
  }

  #save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { changes } = this.ledger;
    if (changes === this.#saved) return;
    try {
      const text = `${JSON.stringify({ version: 1, usage: this.ledger.usage() })}\n`;
      await replaceFile(this.#path, text);
      this.#saved = changes;
    } catch (error) {
      this.#logger.warn({ path: this.#path, error }, 'usage was not saved');
      this.#saveSoon();
    }
  }
}

/** What a ledger's file says; nothing if there is none yet. */
export async function readUsage(path: string): Promise<FunctionUsage[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw fileError(error, path);
  }
  try {
    const parsed = JSON.parse(text) as { version: number; usage: FunctionUsage[] };
    if (parsed.version === 1 && Array.isArray(parsed.usage)) return parsed.usage;
  } catch {
    // Told below, in one way for both.
  }
  throw new SluiceError('STORE_CORRUPT', `${path}: is no usage file; move it away to begin anew`);
}
