import { assert, type Clock, type Logger, limits, MIB } from '../base/mod.ts';
import type { SandboxExit } from '../isolation/mod.ts';
import type { Invocation, ShutdownReason } from '../runtime/mod.ts';
import type { DiskFaults } from './disk-faults.ts';
import { type Ending, endingOf } from './ending.ts';
import { type FunctionFailure, failureBody, failureLines } from './function-error.ts';
import { IdleFreezer } from './idle-freezer.ts';
import { InvokeTime } from './invoke-time.ts';
import { invokeDoneEvents } from './platform-events.ts';
import { failureOfStart, type RuntimeRun } from './runtime-run.ts';
import type { SandboxLog } from './sandbox-log.ts';
import type { SandboxTemplate } from './template.ts';
import type { InvokeOutcome, OpenDevice, StartTimings } from './types.ts';
import { within } from './within.ts';

export interface WorkerSandboxParts {
  readonly sandboxId: string;
  readonly template: SandboxTemplate;
  readonly device: OpenDevice;
  readonly faults: DiskFaults;
  readonly log: SandboxLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timings: StartTimings;
  /** The runtime, up; absent if its init ran out of time. */
  readonly run: RuntimeRun | undefined;
  readonly initFailure: FunctionFailure | undefined;
  /** How long it idles before it is frozen; 0 for never. */
  readonly freezeAfterMs: number;
  /** Starts the runtime once more, on the same device. */
  readonly restart: () => Promise<RuntimeRun>;
}

/** One sandbox on this worker: runs invokes on its runtime, times them, logs them. */
export class WorkerSandbox {
  readonly sandboxId: string;
  readonly timings: StartTimings;
  /** Resolves as soon as it can no longer serve, for whatever reason; `stop` waits for the rest. */
  readonly ended: Promise<void>;
  /** Resolves when all of it is cleared away, or was not to be; never rejects. */
  readonly cleared: Promise<void>;
  readonly #parts: WorkerSandboxParts;
  #run: RuntimeRun | undefined;
  #freezer: IdleFreezer | undefined;
  #time: InvokeTime | undefined;
  #restarting: Promise<RuntimeRun> | undefined;
  #busy = false;
  #reason: ShutdownReason = 'spindown';
  #invoked = false;
  /** Its runtime never came up, or an extension of it broke; it serves nothing more. */
  #dead: boolean;
  #stopped: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();
  readonly #cleared = Promise.withResolvers<void>();

  constructor(parts: WorkerSandboxParts) {
    this.sandboxId = parts.sandboxId;
    this.timings = parts.timings;
    this.#parts = parts;
    this.#dead = parts.initFailure !== undefined;
    this.ended = this.#ended.promise;
    this.cleared = this.#cleared.promise;
    if (parts.run) this.#adopt(parts.run);
    this.#watchIdle();
  }

  /** Init ended in an error of the function: the first invoke answers it, and that is the end. */
  get initFailed(): boolean {
    return this.#parts.initFailure !== undefined;
  }

  /**
   * Runs one event; at most one at a time. `answer` always settles, also if the sandbox dies;
   * `settled` resolves with `true` once it may be lent again, with `false` if it never will be.
   */
  invoke(invoke: Invocation): { answer: Promise<InvokeOutcome>; settled: Promise<boolean> } {
    assert(!this.#busy, `${this.sandboxId}: one invoke at a time`);
    this.#busy = true;
    const settled = Promise.withResolvers<boolean>();
    const answer = this.#answer(invoke, settled.resolve);
    // What keeps us from answering is our fault, and the end of this sandbox.
    answer.catch(() => {
      this.#time?.close();
      settled.resolve(false);
      void this.#end();
    });
    return { answer, settled: settled.promise };
  }

  /** Idempotent; resolves when nothing of it is left. */
  stop(): Promise<void> {
    this.#stopped ??= this.#tearDown();
    return this.#stopped;
  }

  async #tearDown(): Promise<void> {
    this.#ended.resolve();
    this.#freezer?.close();
    try {
      await this.#restarting?.catch(() => undefined);
      if (this.#busy || this.#dead) await this.#run?.shutdown(this.#reason);
      else await this.#spinDown();
    } finally {
      await this.#parts.device.close().finally(this.#cleared.resolve);
    }
  }

  /** The end of a sandbox that did nothing wrong and has nothing to do. */
  async #spinDown(): Promise<void> {
    if (this.#freezer?.frozen) await this.#freezer.thaw();
    await this.#run?.shutdown('spindown');
  }

  /** The sandbox died or cannot be used again: clears it away, and nobody has to wait for that. */
  async #end(reason: ShutdownReason = 'failure'): Promise<void> {
    this.#reason = reason;
    try {
      await this.stop();
    } catch (error) {
      this.#parts.logger.error({ sandboxId: this.sandboxId, error }, 'a sandbox did not end');
    }
  }

  #adopt(run: RuntimeRun): void {
    this.#run = run;
    void run.exited.then((exit) => this.#runtimeExited(exit));
  }

  /** Of an invoke's runtime, the invoke says so first. */
  #runtimeExited(exit: SandboxExit): void {
    if (this.#time) this.#time.runtimeExited(exit);
    else void this.#end();
  }

  #watchIdle(): void {
    const run = this.#run;
    if (!run) return;
    const { freezeAfterMs, clock, logger } = this.#parts;
    this.#time = undefined;
    if (run.exit) void this.#end();
    else if (freezeAfterMs > 0) {
      this.#freezer ??= new IdleFreezer(run, freezeAfterMs, clock, logger);
      this.#freezer.idle();
    }
  }

  async #answer(invoke: Invocation, settle: (again: boolean) => void): Promise<InvokeOutcome> {
    const { clock, log, template, initFailure } = this.#parts;
    const { requestId, logTail } = invoke;
    log.begin(invoke, !this.#invoked);
    const start = this.#invoked ? undefined : this.timings;
    const startedAtMs = clock.monotonicMs();
    const time = new InvokeTime(clock, template.timeoutMs);
    this.#time = time;
    const ending = initFailure ? { failure: initFailure } : await this.#perform(invoke, time);
    const durationMs = clock.monotonicMs() - startedAtMs;
    const fault = 'failure' in ending && (await this.#parts.faults.last());
    if (fault) throw fault;
    const failure = 'failure' in ending ? ending.failure : undefined;
    const producedBytes = 'body' in ending ? ending.body.length : 0;
    const over = this.#finish(invoke, time, failure, durationMs, producedBytes);
    void over.then(settle, () => settle(false));
    if (logTail) await within(clock, limits.worker.logTailMs, over);
    const tail = logTail ? { logTail: log.tail } : {};
    const facts = { executedVersion: template.version, durationMs, start, ...tail };
    if ('body' in ending) return { status: 'ok', payload: ending.body, ...facts };
    const payload = failureBody(ending.failure, requestId);
    return { status: 'function-error', functionError: 'Unhandled', payload, ...facts };
  }

  /** Has the runtime run the event, after one more init if the first ran out of time. */
  async #perform(invoke: Invocation, time: InvokeTime): Promise<Ending> {
    const interrupted = time.interrupted.then((failure) => ({ failure }));
    const run = this.#run ?? (await Promise.race([this.#restart(time), interrupted]));
    if ('failure' in run) return run;
    if (run.exit) time.runtimeExited(run.exit);
    this.#freezer?.busy();
    if (this.#freezer?.frozen) await this.#freezer.thaw();
    return Promise.race([this.#deliver(run, invoke, interrupted), interrupted]);
  }

  async #restart(time: InvokeTime): Promise<RuntimeRun | { failure: FunctionFailure }> {
    this.#restarting = this.#parts.restart();
    let run: RuntimeRun;
    try {
      run = await this.#restarting;
    } catch (error) {
      this.#dead = true;
      const failure = failureOfStart(error);
      if (failure) return { failure };
      time.close();
      throw error;
    }
    this.#adopt(run);
    const init = await run.init(this.#parts.template.timeoutMs);
    if (init.kind !== 'failed') return run;
    this.#dead = true;
    return { failure: init.failure };
  }

  async #deliver(
    run: RuntimeRun,
    invoke: Invocation,
    interrupted: Promise<Ending>,
  ): Promise<Ending> {
    const { clock, template } = this.#parts;
    const outcome = await run.api.invoke(invoke, clock.nowMs() + template.timeoutMs);
    if (outcome.kind === 'fatal' || outcome.kind === 'broken') this.#dead = true;
    return endingOf(outcome) ?? interrupted;
  }

  /** Waits until the runtime is done with the invoke, closes its log; `true` if it may serve on. */
  async #finish(
    invoke: Invocation,
    time: InvokeTime,
    failure: FunctionFailure | undefined,
    durationMs: number,
    producedBytes: number,
  ): Promise<boolean> {
    const run = this.#run;
    let again = false;
    if (run && !this.#dead && (!failure || survivable.has(failure.kind))) {
      const asked = run.api.settled().then(() => true);
      again = await Promise.race([asked, time.interrupted.then(() => false)]);
    }
    time.close();
    const peakMemoryBytes = (await run?.peakMemoryBytes(invoke.logTail || !again)) ?? 0;
    if (!again) {
      void this.#end(failure?.kind === 'timeout' ? 'timeout' : 'failure');
      await run?.outputRead();
    } else if (invoke.logTail) await this.#parts.log.quiet();
    const { log, template } = this.#parts;
    const { memoryMb } = template;
    const initMs = this.#invoked ? undefined : this.timings.initMs;
    this.#invoked = true;
    const { requestId } = invoke;
    const maxMemoryMb = Math.ceil(peakMemoryBytes / MIB);
    const facts = { requestId, durationMs, memoryMb, maxMemoryMb, initMs };
    const lines = failure ? failureLines(failure, requestId) : [];
    log.end(lines, invokeDoneEvents(facts, failure, producedBytes));
    if (again) {
      this.#busy = false;
      this.#watchIdle();
    }
    return again;
  }
}

/** Failures after which the runtime asks for its next event as if nothing had been. */
const survivable: ReadonlySet<FunctionFailure['kind']> = new Set(['posted', 'oversize']);
