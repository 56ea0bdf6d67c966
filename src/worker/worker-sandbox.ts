import { assert, type Clock, type Logger, limits, MIB, type SharedSemaphore } from '../base/mod.ts';
import type { SandboxExit, SandboxRemains } from '../isolation/mod.ts';
import type { Invocation, ShutdownReason } from '../runtime/mod.ts';
import type { DiskFaults } from './disk-faults.ts';
import { type Ending, endingOf, isSurvived } from './ending.ts';
import { type FunctionFailure, failureBody, failureLines } from './function-error.ts';
import { InvokeTime } from './invoke-time.ts';
import { invokeDoneEvents } from './platform-events.ts';
import type { RuntimeRun } from './runtime-run.ts';
import { RuntimeSeat } from './runtime-seat.ts';
import type { SandboxLog } from './sandbox-log.ts';
import { failureOfStart } from './start-failure.ts';
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
  /** The runtime, up; absent if its init failed or ran out of time. */
  readonly run: RuntimeRun | undefined;
  /** What a runtime whose init ran out of time left. */
  readonly remains: SandboxRemains | undefined;
  readonly initFailure: FunctionFailure | undefined;
  /** How long it idles before it is frozen; 0 for never. */
  readonly freezeAfterMs: number;
  /** Starts the runtime once more, on the same device. */
  readonly restart: (remains: SandboxRemains | undefined) => Promise<RuntimeRun>;
  /** Of all sandboxes' restarts only so many are under way. */
  readonly restarts: SharedSemaphore;
}

/**
 * One sandbox on this worker: runs invokes on its runtime, times them, logs them. An invoke that
 * the runtime does not survive resets it: the next one starts it again, with the `/tmp` it had.
 */
export class WorkerSandbox {
  readonly sandboxId: string;
  readonly timings: StartTimings;
  /** Resolves as soon as it can no longer serve, for whatever reason; `stop` waits for the rest. */
  readonly ended: Promise<void>;
  /** Resolves when all of it is cleared away, or was not to be; never rejects. */
  readonly cleared: Promise<void>;
  readonly #parts: WorkerSandboxParts;
  readonly #seat: RuntimeSeat;
  #time: InvokeTime | undefined;
  #busy = false;
  #reason: ShutdownReason = 'spindown';
  #invoked = false;
  #stopped: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();
  readonly #cleared = Promise.withResolvers<void>();

  constructor(parts: WorkerSandboxParts) {
    this.sandboxId = parts.sandboxId;
    this.timings = parts.timings;
    this.#parts = parts;
    this.ended = this.#ended.promise;
    this.cleared = this.#cleared.promise;
    this.#seat = new RuntimeSeat({ ...parts, onExit: (exit) => this.#runtimeExited(exit) });
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
    try {
      await this.#seat.end(this.#reason);
    } finally {
      await this.#parts.device.close().finally(this.#cleared.resolve);
    }
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

  /** Of an invoke's runtime, the invoke says so first. */
  #runtimeExited(exit: SandboxExit): void {
    if (this.#time) this.#time.runtimeExited(exit);
    else void this.#end();
  }

  #watchIdle(): void {
    this.#time = undefined;
    if (this.#seat.run?.exit) void this.#end();
    else this.#seat.idle();
  }

  async #answer(invoke: Invocation, settle: (again: boolean) => void): Promise<InvokeOutcome> {
    const { clock, log, template, initFailure } = this.#parts;
    const { requestId, logTail } = invoke;
    log.begin(invoke, !this.#invoked);
    const start = this.#invoked ? undefined : this.timings;
    const startedAtMs = clock.monotonicMs();
    const time = new InvokeTime(clock, template.timeoutMs);
    this.#time = time;
    const ending: Ending = initFailure
      ? { failure: initFailure }
      : await this.#perform(invoke, time);
    const durationMs = clock.monotonicMs() - startedAtMs;
    const fault = 'failure' in ending && (await this.#parts.faults.last());
    if (fault) throw fault;
    const producedBytes = 'body' in ending ? ending.body.length : 0;
    const over = this.#finish(invoke, time, ending, durationMs, producedBytes);
    void over.then(settle, () => settle(false));
    // Whoever asks again at once is to find the same sandbox.
    if (logTail || !isSurvived(ending)) await within(clock, limits.worker.overMs, over);
    const tail = logTail ? { logTail: log.tail } : {};
    const facts = { executedVersion: template.version, durationMs, start, ...tail };
    if ('body' in ending) return { status: 'ok', payload: ending.body, ...facts };
    const payload = failureBody(ending.failure, requestId);
    return { status: 'function-error', functionError: 'Unhandled', payload, ...facts };
  }

  /** Has the runtime run the event, after one more init if the first ran out of time. */
  async #perform(invoke: Invocation, time: InvokeTime): Promise<Ending> {
    const interrupted = time.interrupted.then((failure) => ({ failure }));
    const run = this.#seat.run ?? (await Promise.race([this.#restart(time), interrupted]));
    if ('failure' in run) return run;
    if (run.exit) time.runtimeExited(run.exit);
    await this.#seat.wake();
    return Promise.race([this.#deliver(run, invoke, interrupted), interrupted]);
  }

  /** In turn, as a crash costs its function's account and not all others, for as long as the invoke has. */
  async #restart(time: InvokeTime): Promise<RuntimeRun | { failure: FunctionFailure }> {
    const { restarts, template } = this.#parts;
    const giveUp = new AbortController();
    const failure = time.interrupted.then((interruption) => {
      giveUp.abort();
      return { failure: interruption };
    });
    const restart = restarts.run(
      template.accountId,
      () => Promise.race([this.#restartNow(time), failure]),
      giveUp.signal,
    );
    return restart.catch((error) => {
      if (giveUp.signal.aborted) return failure;
      time.close();
      throw error;
    });
  }

  async #restartNow(time: InvokeTime): Promise<RuntimeRun | { failure: FunctionFailure }> {
    let run: RuntimeRun;
    try {
      run = await this.#seat.restart();
    } catch (error) {
      const failure = failureOfStart(error);
      if (failure) return { failure };
      time.close();
      throw error;
    }
    const init = await run.init(this.#parts.template.timeoutMs);
    return init.kind === 'failed' ? { failure: init.failure } : run;
  }

  async #deliver(
    run: RuntimeRun,
    invoke: Invocation,
    interrupted: Promise<Ending>,
  ): Promise<Ending> {
    const { clock, template } = this.#parts;
    const outcome = await run.api.invoke(invoke, clock.nowMs() + template.timeoutMs);
    return endingOf(outcome) ?? interrupted;
  }

  /** Waits until the runtime is done with the invoke, closes its log; `true` if it may serve on. */
  async #finish(
    invoke: Invocation,
    time: InvokeTime,
    ending: Ending,
    durationMs: number,
    producedBytes: number,
  ): Promise<boolean> {
    const run = this.#seat.run;
    const failure = 'failure' in ending ? ending.failure : undefined;
    const asked = isSurvived(ending) ? run?.api.settled().then(() => undefined) : undefined;
    const broken = run && asked ? await Promise.race([asked, time.interrupted]) : failure;
    time.close();
    const peakMemoryBytes =
      (await run?.peakMemoryBytes(invoke.logTail || broken !== undefined)) ?? 0;
    const again = broken ? this.#reset(broken) : Promise.resolve(true);
    if (broken) await run?.outputRead();
    else if (invoke.logTail) await this.#parts.log.quiet();
    const { log, template } = this.#parts;
    const { memoryMb } = template;
    const initMs = this.#invoked ? undefined : this.timings.initMs;
    this.#invoked = true;
    const { requestId } = invoke;
    const maxMemoryMb = Math.ceil(peakMemoryBytes / MIB);
    const facts = { requestId, durationMs, memoryMb, maxMemoryMb, initMs };
    const lines = failure ? failureLines(failure, requestId) : [];
    log.end(lines, invokeDoneEvents(facts, failure, producedBytes));
    if (!(await again)) return false;
    this.#busy = false;
    this.#watchIdle();
    return true;
  }

  /** Answers `false` if it ends instead. */
  async #reset({ kind }: FunctionFailure): Promise<boolean> {
    const reason = kind === 'timeout' ? 'timeout' : 'failure';
    try {
      if (!this.initFailed && (await this.#seat.reset(reason))) return true;
    } catch (error) {
      this.#parts.logger.error({ sandboxId: this.sandboxId, error }, 'a sandbox was not reset');
    }
    void this.#end(reason);
    return false;
  }
}
