import { CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';

const PAGES_PER_CHUNK = CHUNK_SIZE_BYTES / PAGE_SIZE_BYTES;
const VERSION = 1;

/** Pages read together for the first time: first page, how many, milliseconds since the opening. */
export type AccessRun = readonly [page: number, pages: number, atMs: number];

/** Pages one after the other: the first, and how many. */
export type PageRun = readonly [page: number, pages: number];

/** The pages that a start touched, in the order of their first touch. */
export interface AccessLog {
  readonly manifestId: string;
  readonly runs: readonly AccessRun[];
}

/** Notes each page of a device once, when it is first read. */
export class AccessRecorder {
  readonly #seen: Uint32Array;
  readonly #runs: AccessRun[] = [];
  readonly #startedMs: number;

  constructor(pageCount: number, startedMs: number) {
    this.#seen = new Uint32Array(Math.ceil(pageCount / 32));
    this.#startedMs = startedMs;
  }

  get runs(): readonly AccessRun[] {
    return this.#runs;
  }

  record(offset: number, bytes: number, nowMs: number): void {
    const end = Math.ceil((offset + bytes) / PAGE_SIZE_BYTES);
    let page = Math.floor(offset / PAGE_SIZE_BYTES);
    while (page < end) {
      const first = page;
      while (page < end && this.#note(page)) page++;
      if (page > first) this.#push(first, page - first, nowMs);
      else page++;
    }
  }

  /** True the first time. */
  #note(page: number): boolean {
    const bit = 1 << (page & 31);
    const word = page >>> 5;
    if ((this.#seen[word]! & bit) !== 0) return false;
    this.#seen[word]! |= bit;
    return true;
  }

  #push(page: number, pages: number, nowMs: number): void {
    if (this.#runs.length >= limits.device.accessLogRuns) return;
    this.#runs.push([page, pages, Math.round(nowMs - this.#startedMs)]);
  }
}

export function encodeAccessLog(log: AccessLog): string {
  return `${JSON.stringify({ version: VERSION, ...log })}\n`;
}

/** Throws `USAGE` for bytes that are no access log. */
export function parseAccessLog(text: string): AccessLog {
  let log: Partial<AccessLog> & { version?: unknown };
  try {
    log = JSON.parse(text);
  } catch {
    throw notALog('not JSON');
  }
  const { version, manifestId, runs } = log ?? {};
  if (version !== VERSION) throw notALog(`version ${version}, this program reads ${VERSION}`);
  if (typeof manifestId !== 'string') throw notALog('no manifest id');
  if (!Array.isArray(runs) || runs.length > limits.device.accessLogRuns || !runs.every(isRun)) {
    throw notALog('its runs are malformed');
  }
  return { manifestId, runs };
}

function notALog(why: string): SluiceError {
  return new SluiceError('USAGE', `access log: ${why}; record it anew`);
}

function isRun(run: unknown): boolean {
  const whole = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
  return Array.isArray(run) && run.length === 3 && run.every(whole) && run[1] > 0;
}

/** The chunks of a log in the order of their first touch, each once. */
export function chunksOf(log: AccessLog, chunkCount: number): Uint32Array {
  const chunks = new Set<number>();
  for (const [page, pages] of log.runs) {
    const last = Math.floor((page + pages - 1) / PAGES_PER_CHUNK);
    for (let chunk = Math.floor(page / PAGES_PER_CHUNK); chunk <= last; chunk++) {
      if (chunk < chunkCount) chunks.add(chunk);
    }
  }
  return Uint32Array.from(chunks);
}

/**
 * One log of several starts of the same disk: the pages that at least half of them touched, in
 * order of when they were touched on average, so that one odd start neither adds nor reorders much.
 */
export function mergeAccessLogs(logs: readonly AccessLog[]): AccessLog {
  const [first] = logs;
  if (!first) throw new SluiceError('USAGE', 'access log: there is none to merge');
  const touched = new Map<number, { starts: number; sumMs: number }>();
  for (const { runs } of logs) {
    for (const [page, pages, atMs] of runs) {
      for (let each = page; each < page + pages; each++) {
        const known = touched.get(each) ?? { starts: 0, sumMs: 0 };
        known.starts++;
        known.sumMs += atMs;
        touched.set(each, known);
      }
    }
  }
  const pages = [...touched]
    .filter(([, { starts }]) => starts * 2 >= logs.length)
    .map(([page, { starts, sumMs }]) => ({ page, atMs: Math.round(sumMs / starts) }))
    .sort((a, b) => a.atMs - b.atMs || a.page - b.page);
  const runs: [number, number, number][] = [];
  for (const { page, atMs } of pages) {
    const last = runs.at(-1);
    if (last && last[2] === atMs && last[0] + last[1] === page) last[1]++;
    else runs.push([page, 1, atMs]);
  }
  return { manifestId: first.manifestId, runs };
}

/** How well a replayed log predicted the next one, by chunks; a poor one is worth renewing. */
export interface LogFit {
  /** Share of what was prefetched that was used. */
  readonly usedShare: number;
  /** Share of what was used that had been prefetched. */
  readonly predictedShare: number;
}

export function fitOf(replayed: AccessLog, recorded: AccessLog): LogFit {
  const predicted = new Set(chunksOf(replayed, Number.POSITIVE_INFINITY));
  const used = new Set(chunksOf(recorded, Number.POSITIVE_INFINITY));
  const both = [...predicted].filter((chunk) => used.has(chunk)).length;
  return {
    usedShare: predicted.size === 0 ? 1 : both / predicted.size,
    predictedShare: used.size === 0 ? 1 : both / used.size,
  };
}

/** Below this share, either way, a log no longer fits. */
const FITTING_SHARE = 0.7;

export function isStale(fit: LogFit): boolean {
  return fit.usedShare < FITTING_SHARE || fit.predictedShare < FITTING_SHARE;
}
