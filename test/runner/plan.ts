import type { TestFile } from './files.ts';

/** What is taken for a unit test that nobody has measured yet. */
const UNMEASURED_SECONDS = 0.5;
/** The same for a file with a process of its own, which starts others. */
const UNMEASURED_OWN_SECONDS = 10;
/** A batch is full with so much: small enough to spread over processors to the end of a run. */
const BATCH_SECONDS = 10;

/** Files that one process runs. */
export interface Batch {
  readonly paths: readonly string[];
  readonly alone: boolean;
  /** What they took of a processor when they were measured. */
  readonly seconds: number;
}

/**
 * What each file took of a processor, in `seconds.json` beside this module: a busy machine changes
 * little of that.
 */
export type Measured = Readonly<Record<string, number>>;

/**
 * Who shares a process, and in which order they begin: unit tests with their neighbours by path,
 * everything else by itself, and the longest first, so that short ones fill what is left at the end.
 */
export function planBatches(files: readonly TestFile[], measured: Measured): Batch[] {
  const secondsOf = (path: string, unmeasured = UNMEASURED_SECONDS) => measured[path] ?? unmeasured;
  const batches: Batch[] = [];
  let paths: string[] = [];
  const close = () => {
    const seconds = paths.reduce((sum, path) => sum + secondsOf(path), 0);
    if (paths.length > 0) batches.push({ paths, alone: false, seconds });
    paths = [];
  };
  let filled = 0;
  for (const { path, unit, aloneBecause, ownProcessBecause } of files) {
    const alone = aloneBecause !== undefined;
    const seconds = secondsOf(path, unit ? UNMEASURED_SECONDS : UNMEASURED_OWN_SECONDS);
    if (!unit || alone || ownProcessBecause !== undefined) {
      batches.push({ paths: [path], alone, seconds });
      continue;
    }
    if (filled + seconds > BATCH_SECONDS) {
      close();
      filled = 0;
    }
    paths.push(path);
    filled += seconds;
  }
  close();
  return batches.toSorted((a, b) => b.seconds - a.seconds);
}

/** What to keep of times: whole seconds, of files that take more than those nobody measured. */
export function measuredOf(times: readonly { path: string; cpuMs: number }[]): Measured {
  const rounded = times.map(({ path, cpuMs }) => [path, Math.round(cpuMs / 1000)] as const);
  return Object.fromEntries(rounded.filter(([, seconds]) => seconds > 1).sort());
}
