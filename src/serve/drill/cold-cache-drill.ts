import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AssignmentService,
  type StartOrder,
  type VersionRef,
  versionRef,
  type WorkerControl,
} from '../../assignment/mod.ts';
import {
  isSluiceError,
  limits,
  noLogger,
  SeededRandom,
  systemClock,
  withDeadline,
} from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';
import { chunksOfStart, drillNames, zipf } from './drill-plan.ts';
import { type ColdCacheDrill, type DrillSecond, recoveryOf, summarize } from './drill-result.ts';
import { DrillRig } from './drill-rig.ts';

const EXECUTION_MS = 50;
/** After so long a client has hung up. */
const PATIENCE_MS = 5_000;
const WARM_SECONDS = 3;

export interface ColdCacheDrillOptions {
  /** The words that start `sluice`. */
  readonly sluice: readonly string[];
  /** Cold starts at once that the region allows; undefined is no limit. */
  readonly startLimit: number | undefined;
  readonly invokesPerSecond: number;
  readonly functions: number;
  readonly nodes: number;
  readonly workers: number;
  /** How long the drill goes on unless the region has recovered before. */
  readonly seconds: number;
  readonly originMs: number;
  readonly originParallel: number;
}

/**
 * Empties L1 and L2 of a region of real processes under a load of invokes, and watches it recover
 * (ATC'23 section 4.2: test a start from an empty cache at the highest concurrency). Admission is the
 * region's own, and so are cache nodes and the workers' tiers; a start is the reads of its chunks.
 */
export async function coldCacheDrill(options: ColdCacheDrillOptions): Promise<ColdCacheDrill> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-drill-'));
  const seconds: DrillSecond[] = [];
  const rig = await DrillRig.start({
    ...{ ...options, directory },
    onSecond: ({ gets, bytes, waiting }) => {
      const second = seconds.at(-1);
      if (!second) return;
      second.originGets += gets;
      second.originBytes += bytes;
      second.originWaiting = Math.max(second.originWaiting, waiting);
    },
  });
  try {
    const names = drillNames(options.functions);
    await fillCaches(rig, names, options.functions);
    const { originMs: latencyMs, originParallel: parallel } = options;
    rig.originSpeed = { latencyMs, parallel };
    return await new Drill(rig, names, options, seconds).run();
  } finally {
    await rig.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The region has run for days: L2 holds every chunk. */
async function fillCaches(
  rig: DrillRig,
  names: ReadonlyMap<number, ChunkName>,
  functions: number,
): Promise<void> {
  rig.originSpeed = { latencyMs: 0, parallel: limits.drill.originWaiting };
  const { signal } = new AbortController();
  const starts = Array.from({ length: functions }, (_, index) => {
    const chunks = chunksOfStart(index).map((number) => names.get(number) ?? '');
    return rig.workers[index % rig.workers.length]?.start(chunks, signal);
  });
  await Promise.all(starts);
}

class Drill {
  readonly #rig: DrillRig;
  readonly #names: ReadonlyMap<number, ChunkName>;
  readonly #options: ColdCacheDrillOptions;
  readonly #seconds: DrillSecond[];
  readonly #assignment: AssignmentService;
  readonly #random = new SeededRandom(99);
  readonly #calls = new Set<Promise<void>>();
  /** All workers of the rig as one: which of them starts a sandbox is a matter of chance. */
  readonly #rigAsWorker: WorkerControl = {
    workerId: 'rig',
    address: '',
    start: (order, signal) => this.#start(order, signal),
    stop: async () => {},
  };

  constructor(
    rig: DrillRig,
    names: ReadonlyMap<number, ChunkName>,
    options: ColdCacheDrillOptions,
    seconds: DrillSecond[],
  ) {
    this.#rig = rig;
    this.#names = names;
    this.#options = options;
    this.#seconds = seconds;
    const startLimit = options.startLimit ?? limits.assignment.startsSettable;
    this.#assignment = new AssignmentService({
      placer: { place: async () => ({ workerId: this.#rigAsWorker.workerId }) },
      limits: {
        startsPerRegion: startLimit,
        startsPerAccount: startLimit,
        sandboxes: limits.worker.waitingInvokes,
      },
      ...{ clock: systemClock, random: this.#random, logger: noLogger },
    });
    this.#assignment.join(this.#rigAsWorker);
  }

  async run(): Promise<ColdCacheDrill> {
    const { seconds } = this.#options;
    const beganMs = systemClock.monotonicMs();
    await this.#load(beganMs, WARM_SECONDS);
    const emptied = this.#rig.emptyCaches();
    this.#assignment.reclaim(this.#assignment.stats().sandboxes);
    const drillMs = systemClock.monotonicMs();
    await this.#load(drillMs, seconds);
    await emptied;
    await this.#assignment.close();
    await Promise.all(this.#calls);
    return summarize(this.#options.startLimit, this.#seconds.slice(WARM_SECONDS));
  }

  /** Invokes at exponential intervals, whatever becomes of them, until the region has recovered. */
  async #load(beganMs: number, seconds: number): Promise<void> {
    const pick = zipf(this.#options.functions);
    let dueMs = beganMs;
    for (let second = 0; second < seconds; second++) {
      const now: DrillSecond = {
        ...{ invokes: 0, answered: 0, refused: 0 },
        ...{ originGets: 0, originBytes: 0, originWaiting: 0 },
      };
      this.#seconds.push(now);
      while (dueMs < beganMs + (second + 1) * 1000) {
        const waitMs = dueMs - systemClock.monotonicMs();
        if (waitMs > 0) await systemClock.sleep(waitMs);
        this.#invoke(pick(this.#random.float()), now);
        const uniform = 1 - this.#random.float();
        dueMs += (-Math.log(uniform) * 1000) / this.#options.invokesPerSecond;
      }
      if (recoveryOf(this.#seconds.slice(WARM_SECONDS)) !== undefined) return;
    }
  }

  #invoke(functionIndex: number, second: DrillSecond): void {
    second.invokes++;
    const call = withDeadline(systemClock, PATIENCE_MS, 'a client', (signal) =>
      this.#run(functionIndex, signal),
    ).then(
      () => {
        second.answered++;
      },
      (error) => {
        if (isSluiceError(error, 'START_LIMIT_EXCEEDED')) second.refused++;
      },
    );
    const settled: Promise<void> = call.finally(() => this.#calls.delete(settled));
    this.#calls.add(settled);
  }

  async #run(functionIndex: number, signal: AbortSignal): Promise<void> {
    const version = versionOf(functionIndex);
    const lease = await this.#assignment.acquire({ version, allowance }, signal);
    await systemClock.sleep(EXECUTION_MS);
    this.#assignment.release(lease, 'settled');
  }

  async #start(
    { sandboxId, version }: StartOrder,
    signal: AbortSignal,
  ): Promise<{ initFailed: boolean }> {
    const { workers } = this.#rig;
    const worker = workers[Math.floor(this.#random.float() * workers.length)];
    const functionIndex = Number(version.functionArn.split(':').at(-1));
    const chunks = chunksOfStart(functionIndex).map((number) => this.#names.get(number) ?? '');
    // An init that takes longer has failed, and what it read was wasted (Lambda's own limit).
    const initMs = limits.lambda.initTimeoutMs;
    await withDeadline(systemClock, initMs, sandboxId, async (timeout) => {
      await worker?.start(chunks, AbortSignal.any([signal, timeout]));
    });
    return { initFailed: false };
  }
}

const allowance = { account: limits.worker.waitingInvokes, reservedTotal: 0 };
const versions = new Map<number, VersionRef>();

function versionOf(functionIndex: number): VersionRef {
  const known = versions.get(functionIndex);
  if (known) return known;
  const functionArn = `arn:aws:lambda:drill:000000000000:function:${functionIndex}`;
  const version = versionRef({
    versionArn: `${functionArn}:$LATEST`,
    ...{ functionArn, accountId: '000000000000', revision: '1', memoryMb: 128 },
  });
  versions.set(functionIndex, version);
  return version;
}
