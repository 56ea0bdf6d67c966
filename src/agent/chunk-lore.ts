import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, CHUNK_SIZE_BYTES, type Logger, limits, PAGE_SIZE_BYTES } from '../base/mod.ts';
import type { AccessLog } from '../device/mod.ts';
import type { ChunkName, ManifestHeader } from '../seal/mod.ts';

const PAGES_PER_CHUNK = CHUNK_SIZE_BYTES / PAGE_SIZE_BYTES;
const ACCOUNT = /^\d{12}$/;
const VERSION = 1;

/** Pages of one chunk that starts touch: runs within the chunk, and when in a start. */
interface Touched {
  readonly atMs: number;
  readonly runs: readonly (readonly [page: number, pages: number])[];
}

type Lore = Map<ChunkName, Touched>;

export interface ChunkLoreOptions {
  readonly directory: string;
  readonly logger: Logger;
  /** Whose starts help everybody's: the operator's base images, known to all. */
  readonly operatorId: string;
}

/**
 * What starts of an account touched, chunk by chunk: a disk that was never started, but shares
 * chunks with disks that were (a new version of an image, another function on its base), has its
 * first start helped by what they read. Accounts learn from themselves and from the operator only.
 */
export class ChunkLore {
  readonly #options: ChunkLoreOptions;
  readonly #accounts = new Map<string, Promise<Lore>>();
  /** Of the whole process: no two write one temporary file. */
  static #names = 0;

  constructor(options: ChunkLoreOptions) {
    this.#options = options;
  }

  /** Keeps what a start of this disk touched. */
  async learn(header: ManifestHeader, log: AccessLog): Promise<void> {
    const lore = await this.#loreOf(header.accountId);
    const names = new Map(header.storedChunks());
    for (const [chunk, touched] of byChunk(log)) {
      const name = names.get(chunk);
      if (name === undefined) continue;
      lore.delete(name);
      lore.set(name, touched);
    }
    for (const name of lore.keys()) {
      if (lore.size <= limits.device.loreChunks) break;
      lore.delete(name);
    }
    await this.#save(header.accountId, lore);
  }

  /** What a first start of this disk will likely touch; undefined when nothing of it is known. */
  async predict(header: ManifestHeader): Promise<AccessLog | undefined> {
    const { operatorId } = this.#options;
    const own = await this.#loreOf(header.accountId);
    const operators = header.accountId === operatorId ? own : await this.#loreOf(operatorId);
    const known: { readonly chunk: number; readonly touched: Touched }[] = [];
    for (const [chunk, name] of header.storedChunks()) {
      const touched = own.get(name) ?? operators.get(name);
      if (touched) known.push({ chunk, touched });
    }
    if (known.length === 0) return undefined;
    known.sort((a, b) => a.touched.atMs - b.touched.atMs || a.chunk - b.chunk);
    const runs = known.flatMap(({ chunk, touched }) =>
      touched.runs.map(
        ([page, pages]) => [chunk * PAGES_PER_CHUNK + page, pages, touched.atMs] as const,
      ),
    );
    return { manifestId: header.manifestId, runs };
  }

  #loreOf(accountId: string): Promise<Lore> {
    const known = this.#accounts.get(accountId) ?? this.#load(accountId);
    // The last one asked for is the last to be forgotten.
    this.#accounts.delete(accountId);
    this.#accounts.set(accountId, known);
    const [oldest] = this.#accounts.keys();
    if (this.#accounts.size > limits.device.loreAccounts && oldest) this.#accounts.delete(oldest);
    return known;
  }

  /** Lore only saves time, so what cannot be read is as good as none. */
  async #load(accountId: string): Promise<Lore> {
    const lore: Lore = new Map();
    try {
      const { version, chunks } = JSON.parse(await readFile(this.#path(accountId), 'utf8'));
      if (version !== VERSION) return lore;
      for (const [name, atMs, runs] of chunks.slice(0, limits.device.loreChunks)) {
        if (typeof name === 'string' && Number.isFinite(atMs) && runs.every(isRun)) {
          lore.set(name, { atMs, runs });
        }
      }
    } catch {
      return lore;
    }
    return lore;
  }

  async #save(accountId: string, lore: Lore): Promise<void> {
    const chunks = Array.from(lore, ([name, { atMs, runs }]) => [name, atMs, runs]);
    const path = this.#path(accountId);
    try {
      await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
      const temporary = `${path}.${process.pid}-${ChunkLore.#names++}.new`;
      await writeFile(temporary, `${JSON.stringify({ version: VERSION, chunks })}\n`);
      await rename(temporary, path);
    } catch (error) {
      this.#options.logger.warn({ accountId, error }, 'what starts touch is not kept');
    }
  }

  #path(accountId: string): string {
    assert(ACCOUNT.test(accountId), `an account has 12 digits: ${accountId}`);
    return join(this.#options.directory, `${accountId}.json`);
  }
}

function isRun(run: unknown): boolean {
  if (!Array.isArray(run) || run.length !== 2 || !run.every(Number.isInteger)) return false;
  const [page, pages] = run as [number, number];
  return page >= 0 && pages > 0 && page + pages <= PAGES_PER_CHUNK;
}

/** A log's runs cut at the borders of chunks, by chunk, in the order of their first touch. */
function byChunk({ runs }: AccessLog): Map<number, Touched> {
  const chunks = new Map<number, { atMs: number; runs: [number, number][] }>();
  for (const [first, count, atMs] of runs) {
    for (let page = first; page < first + count; ) {
      const chunk = Math.floor(page / PAGES_PER_CHUNK);
      const end = Math.min(first + count, (chunk + 1) * PAGES_PER_CHUNK);
      const touched = chunks.get(chunk) ?? { atMs, runs: [] };
      touched.runs.push([page - chunk * PAGES_PER_CHUNK, end - page]);
      chunks.set(chunk, touched);
      page = end;
    }
  }
  return chunks;
}
