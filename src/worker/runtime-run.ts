import { type Clock, limits } from '../base/mod.ts';
import {
  type ExtensionExit,
  type Sandbox,
  type SandboxExit,
  type SandboxIdentity,
  SandboxLife,
  type SandboxProvider,
  type SandboxRemains,
  type SandboxShape,
  type SandboxSpec,
} from '../isolation/mod.ts';
import type { SandboxRuntimeApi, ShutdownReason } from '../runtime/mod.ts';
import { type FunctionFailure, signalText } from './function-error.ts';
import { extensionEvent, type InitPhase, initStartEvent } from './platform-events.ts';
import type { SandboxLog } from './sandbox-log.ts';
import { failureOfStart } from './start-failure.ts';
import type { SandboxTemplate } from './template.ts';
import type { RuntimeApiFactory } from './types.ts';
import { within } from './within.ts';

export type InitResult =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly failure: FunctionFailure }
  | { readonly kind: 'timeout' };

export interface RuntimeRunParts {
  readonly sandboxes: SandboxProvider;
  readonly runtimeApis: RuntimeApiFactory;
  readonly clock: Clock;
}

/** Which sandbox a runtime is started in. */
export interface RunRequest {
  readonly template: SandboxTemplate;
  readonly shape: SandboxShape;
  /** Its deadline is the run's own. */
  readonly identity: Omit<SandboxIdentity, 'deadlineMs'>;
  readonly log: SandboxLog;
  readonly phase: InitPhase;
  /** What its runtime's earlier life left, if it was reset. */
  readonly remains?: SandboxRemains | undefined;
}

/**
 * The runtime's processes from their start to their end, with the Runtime API they talk to. It
 * owns the sandbox: nobody else stops it or hears of its life.
 */
export class RuntimeRun {
  readonly api: SandboxRuntimeApi;
  /** Settles when the processes end by themselves or are stopped; never rejects. */
  readonly exited: Promise<SandboxExit>;
  readonly #sandbox: Sandbox;
  readonly #life: SandboxLife;
  readonly #clock: Clock;
  readonly #outputEnded: Promise<unknown>;
  #exit: SandboxExit | undefined;
  #peakBytes = 0;
  #peakReadAtMs = Number.NEGATIVE_INFINITY;
  #ending = false;

  private constructor(
    { sandbox, life }: { readonly sandbox: Sandbox; readonly life: SandboxLife },
    api: SandboxRuntimeApi,
    log: SandboxLog,
    clock: Clock,
  ) {
    this.#sandbox = sandbox;
    this.#life = life;
    this.#clock = clock;
    this.api = api;
    const outputs = [log.capture(sandbox.stdout), log.capture(sandbox.stderr)];
    if (sandbox.extensionOutput) outputs.push(log.capture(sandbox.extensionOutput, 'extension'));
    this.#outputEnded = Promise.all(outputs);
    for (const name of sandbox.externalExtensions) {
      void life.extensionExited(name).then((exit) => this.#extensionEnded(exit));
    }
    this.exited = life.exited;
    void life.exited.then((exit) => {
      this.#exit = exit;
    });
  }

  /** Rejects with what the provider rejects with; nothing is left of the remains then. */
  static async start(
    parts: RuntimeRunParts,
    request: RunRequest,
    signal?: AbortSignal,
  ): Promise<RuntimeRun> {
    const { template, log } = request;
    const life = new SandboxLife();
    const { onEvent } = life;
    const spec = specOf(request, parts.clock);
    const sandbox = await parts.sandboxes.start(spec, { onEvent, signal }, request.remains);
    const { accountId, functionName, version: functionVersion } = template;
    const handler = request.shape.environment['_HANDLER'] ?? '';
    const api = parts.runtimeApis({
      identity: { accountId, functionName, functionVersion, handler },
      externalExtensions: sandbox.externalExtensions,
      connect: (port) => sandbox.connect(port),
      onPlatformEvent: ({ type, record }) => log.platform(extensionEvent(type, record)),
    });
    log.telemetryTo(api.telemetry);
    log.platform(initStartEvent(template, request.identity.initializationType, request.phase));
    api.attach(sandbox.runtimeApi);
    void api.ready.then(() => sandbox.limitCpu(request.shape.cpuMillis));
    return new RuntimeRun({ sandbox, life }, api, log, parts.clock);
  }

  get exit(): SandboxExit | undefined {
    return this.#exit;
  }

  /**
   * Starts the runtime once extensions have registered, and waits until it asks for its first
   * event, fails, exits, or runs out of time. Rejects with what the provider rejects with.
   */
  init(timeoutMs: number): Promise<InitResult> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, () => resolve({ kind: 'timeout' }));
      const done = (result: InitResult) => {
        timer.cancel();
        resolve(result);
      };
      this.#startEntrypoint().catch((error) => {
        const failure = failureOfStart(error);
        if (failure) return done({ kind: 'failed', failure });
        timer.cancel();
        reject(error);
      });
      void this.exited.then((exit) => done({ kind: 'failed', failure: { kind: 'exit', exit } }));
      void this.api.ready.then((outcome) => {
        if (outcome.kind === 'ready') done({ kind: 'ready' });
        else if (outcome.kind === 'error') {
          const { body, errorType } = outcome;
          done({ kind: 'failed', failure: { kind: 'posted', body, errorType } });
        } else if (outcome.kind === 'broken') {
          done({ kind: 'failed', failure: { ...outcome, kind: 'invalid' } });
        }
      });
    });
  }

  /** What the processes used at most; at most a second old unless `fresh`. */
  async peakMemoryBytes(fresh: boolean): Promise<number> {
    const nowMs = this.#clock.monotonicMs();
    if (!fresh && nowMs - this.#peakReadAtMs < limits.worker.peakMemoryMs) return this.#peakBytes;
    this.#peakReadAtMs = nowMs;
    try {
      this.#peakBytes = await this.#sandbox.peakMemoryBytes();
    } catch {
      // A sandbox that is gone has no figure any more; the last one stands.
    }
    return this.#peakBytes;
  }

  /** Resolves when all that the processes printed is read, or after a moment. */
  outputRead(): Promise<void> {
    return within(this.#clock, limits.worker.logSettleMs, this.#outputEnded);
  }

  freeze(): Promise<void> {
    return this.#sandbox.freeze();
  }

  thaw(): Promise<void> {
    return this.#sandbox.thaw();
  }

  /**
   * Gives the runtime and its extensions the time to end that they have by the contract (2.7),
   * which without extensions is none; then stops all processes.
   */
  async shutdown(reason: ShutdownReason): Promise<void> {
    await this.#endExtensions(reason);
    await this.stop();
  }

  /**
   * As `shutdown`, but its `/tmp` stays for the runtime's next life (contract 2.7: Reset). Rejects
   * with `CANCELLED` once it was stopped.
   */
  async reset(reason: ShutdownReason): Promise<SandboxRemains> {
    await this.#endExtensions(reason);
    this.api.close();
    return this.#sandbox.reset();
  }

  async #endExtensions(reason: ShutdownReason): Promise<void> {
    const { shutdownMs, shutdownInternalMs } = limits.runtime;
    this.#ending = true;
    if (this.#sandbox.externalExtensions.length > 0) await this.#windDown(reason, shutdownMs);
    else if (this.api.extensions.count > 0) await this.#windDown(reason, shutdownInternalMs);
  }

  async #windDown(reason: ShutdownReason, budgetMs: number): Promise<void> {
    const clock = this.#clock;
    const deadlineMs = clock.monotonicMs() + budgetMs;
    const deadlineEpochMs = clock.nowMs() + budgetMs;
    const external = this.#sandbox.externalExtensions;
    if (!this.#exit) {
      const share = external.length > 0 ? limits.runtime.runtimeShutdownShare : 1;
      await this.#sandbox.terminate();
      await within(clock, budgetMs * share, this.exited);
    }
    const told = new Set(this.api.extensions.shutdown(reason, deadlineEpochMs));
    const ending = external
      .filter((name) => told.has(name))
      .map((name) => this.#life.extensionExited(name));
    const over = Promise.all([...ending, this.api.telemetry.flush()]);
    await within(clock, Math.max(0, deadlineMs - clock.monotonicMs()), over);
  }

  async #startEntrypoint(): Promise<void> {
    if (this.#sandbox.externalExtensions.length === 0) return;
    await this.api.extensions.registered;
    await this.#sandbox.startEntrypoint();
  }

  #extensionEnded(exit: ExtensionExit): void {
    if (this.#ending || this.#exit) return;
    const { exitCode, signal, launchError } = exit;
    if (launchError !== undefined) this.api.extensionEnded(launchError, 'Extension.LaunchError');
    else if (signal !== null) this.api.extensionEnded(signalText(signal), 'Extension.Crash');
    else {
      const message = exitCode === 0 ? 'exit code 0' : `exit status ${exitCode}`;
      this.api.extensionEnded(message, 'Extension.Crash');
    }
  }

  async stop(): Promise<void> {
    this.#ending = true;
    this.api.close();
    await this.#sandbox.stop();
  }
}

/** Lambda gives init a CPU of its own, whatever the function's memory gives it later. */
function specOf({ shape, identity }: RunRequest, clock: Clock): SandboxSpec {
  const cpuMillis = Math.max(shape.cpuMillis, limits.sandbox.initCpuMillis);
  const deadlineMs = clock.monotonicMs() + limits.sandbox.startTimeoutMs;
  return { shape: { ...shape, cpuMillis }, identity: { ...identity, deadlineMs } };
}
