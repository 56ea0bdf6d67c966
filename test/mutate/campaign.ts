import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { repositoryRoot, trackedFiles } from '../repo/repository.ts';
import { Coverage } from './coverage.ts';
import type { Mutant } from './mutants.ts';
import { type Ending, runTestFile } from './test-process.ts';

/** A test file that passes as things are: how long it takes, and what it comes past. */
interface Judge {
  readonly file: string;
  readonly tookMs: number;
  readonly coverage: Coverage;
}

export type Fate = 'killed' | 'late' | 'survived' | 'not reached';

/** A mutant's test may be slowed by the mutation, and by what else the machine has to do. */
const timeoutOf = (tookMs: number) => 5_000 + 4 * tookMs;
const cpuSecondsOf = (tookMs: number) => Math.ceil(2 + (2 * tookMs) / 1000);
const BASELINE_MS = 600_000;

/** Test files that share a process: its start costs as much as what most of them do. */
const GROUP_MS = 5_000;

function grouped(judges: readonly Judge[]): Judge[][] {
  const groups: Judge[][] = [];
  let leftMs = 0;
  for (const judge of judges) {
    leftMs -= judge.tookMs;
    const last = groups.at(-1);
    if (last && leftMs >= 0) last.push(judge);
    else {
      groups.push([judge]);
      leftMs = GROUP_MS - judge.tookMs;
    }
  }
  return groups;
}

/** A copy of the working tree, in which mutants are tried one after the other. */
export class Campaign {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sluice-mutate-'));
  readonly #judges: Judge[] = [];

  constructor() {
    for (const path of trackedFiles()) {
      if (!/^(src|test|package\.json|tsconfig\.json|examples)/.test(path)) continue;
      const target = join(this.#directory, path);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(repositoryRoot, path), target, { verbatimSymlinks: true });
    }
    symlinkSync(join(repositoryRoot, 'node_modules'), join(this.#directory, 'node_modules'));
  }

  /** Runs a test file unchanged. Answers whether it passed: one that does not judges nothing. */
  async addJudge(file: string): Promise<boolean> {
    const coverageDirectory = mkdtempSync(join(this.#directory, 'coverage-'));
    const startedMs = performance.now();
    const ending = await runTestFile(file, {
      cwd: this.#directory,
      timeoutMs: BASELINE_MS,
      cpuSeconds: BASELINE_MS / 1000,
      env: { NODE_V8_COVERAGE: coverageDirectory },
    });
    const tookMs = performance.now() - startedMs;
    if (ending === 'passed') {
      this.#judges.push({ file, tookMs, coverage: Coverage.read(coverageDirectory) });
      this.#judges.sort((a, b) => a.tookMs - b.tookMs);
    }
    rmSync(coverageDirectory, { recursive: true, force: true });
    return ending === 'passed';
  }

  /** Runs the tests that come past the mutant's place, the quickest first, until one fails. */
  async judge(mutant: Mutant): Promise<Fate> {
    const path = join(this.#directory, mutant.path);
    const judges = this.#judges.filter((each) => each.coverage.reaches(path, mutant.reachedAt));
    if (judges.length === 0) return 'not reached';
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.slice(0, mutant.start) + mutant.replacement + text.slice(mutant.end));
    try {
      for (const group of grouped(judges)) {
        const ending = await this.#run(group);
        if (ending !== 'passed') return ending === 'late' ? 'late' : 'killed';
      }
      return 'survived';
    } finally {
      writeFileSync(path, text);
    }
  }

  /** Runs some test files in one process, one after the other. */
  #run(judges: readonly Judge[]): Promise<Ending> {
    const entry = join(this.#directory, 'judges.mjs');
    writeFileSync(entry, judges.map(({ file }) => `import './${file}';\n`).join(''));
    const tookMs = judges.reduce((sum, each) => sum + each.tookMs, 0);
    return runTestFile(entry, {
      cwd: this.#directory,
      timeoutMs: timeoutOf(tookMs),
      cpuSeconds: cpuSecondsOf(tookMs),
      // What is not changed is neither stripped of its types nor compiled again.
      env: { NODE_COMPILE_CACHE: join(this.#directory, 'compiled') },
    });
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
