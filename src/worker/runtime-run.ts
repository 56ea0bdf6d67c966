import type { SandboxTemplate } from '../assignment/mod.ts';
import { type Clock, isSluiceError, limits } from '../base/mod.ts';
import type { FunctionFailure } from './function-error.ts';
import type { SandboxLog } from './sandbox-log.ts';
import type {
  RuntimeApiFactory,
  Sandbox,
  SandboxExit,
  SandboxProvider,
  SandboxRuntimeApi,
  SandboxSpec,
} from './types.ts';
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

/** The runtime's processes from their start to their end, with the Runtime API they talk to. */
export class RuntimeRun {
  readonly api: SandboxRuntimeApi;
  /** Called once when the processes end by themselves or are stopped. */
  onExit: ((exit: SandboxExit) => void) | undefined;
  readonly #sandbox: Sandbox;
  readonly #exited: Promise<SandboxExit>;
  readonly #clock: Clock;
  readonly #outputEnded: Promise<unknown>;
  #exit: SandboxExit | undefined;
  #peakBytes = 0;
  #peakReadAtMs = Number.NEGATIVE_INFINITY;

  private constructor(sandbox: Sandbox, api: SandboxRuntimeApi, log: SandboxLog, clock: Clock) {
    this.#sandbox = sandbox;
    this.#clock = clock;
    this.api = api;
    this.#outputEnded = Promise.all([log.capture(sandbox.stdout), log.capture(sandbox.stderr)]);
    this.#exited = sandbox.exited;
    void sandbox.exited.then((exit) => {
      this.#exit = exit;
      this.onExit?.(exit);
    });
  }

  /** Rejects with what the provider rejects with. */
  static async start(
    parts: RuntimeRunParts,
    template: SandboxTemplate,
    spec: SandboxSpec,
    log: SandboxLog,
    signal?: AbortSignal,
  ): Promise<RuntimeRun> {
    // As Lambda does: init has a CPU of its own whatever the function's memory gives it later.
    const cpuMillis = Math.max(spec.cpuMillis, limits.sandbox.initCpuMillis);
    const sandbox = await parts.sandboxes.start({ ...spec, cpuMillis }, signal);
    const { accountId, functionName, version: functionVersion } = template;
    const handler = spec.environment['_HANDLER'] ?? '';
    const api = parts.runtimeApis({ accountId, functionName, functionVersion, handler });
    api.attach(sandbox.runtimeApi);
    void api.ready.then(() => sandbox.limitCpu(spec.cpuMillis));
    return new RuntimeRun(sandbox, api, log, parts.clock);
  }

  get exit(): SandboxExit | undefined {
    return this.#exit;
  }

  /** Waits until the runtime asks for its first event, fails, exits, or runs out of time. */
  init(timeoutMs: number): Promise<InitResult> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(timeoutMs, () => resolve({ kind: 'timeout' }));
      const done = (result: InitResult) => {
        timer.cancel();
        resolve(result);
      };
      void this.#exited.then((exit) => done({ kind: 'failed', failure: { kind: 'exit', exit } }));
      void this.api.ready.then((outcome) => {
        if (outcome.kind === 'ready') done({ kind: 'ready' });
        else if (outcome.kind === 'error') {
          const { body, errorType } = outcome;
          done({ kind: 'failed', failure: { kind: 'posted', body, errorType } });
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

  /** Gives extensions the time to end, then stops all processes. */
  async shutdown(): Promise<void> {
    if (!this.#exit) await this.api.shutdown(limits.runtime.shutdownMs);
    await this.stop();
  }

  async stop(): Promise<void> {
    this.api.close();
    await this.#sandbox.stop();
  }
}

/** Lambda's reason codes for what only the function's author can mend. */
const invalidReasons: Readonly<Record<string, string>> = {
  'FunctionError.InvalidEntryPoint': 'Runtime.InvalidEntrypoint',
  'FunctionError.InvalidWorkingDirectory': 'Runtime.InvalidWorkingDir',
};

/** A start that failed because the image names something that is not there, or `undefined`. */
export function failureOfStart(error: unknown): FunctionFailure | undefined {
  if (!isSluiceError(error, 'SANDBOX_START_FAILED')) return undefined;
  const errorType = invalidReasons[String(error.data['reasonCode'])];
  if (errorType === undefined) return undefined;
  return { kind: 'invalid', errorType, message: error.message };
}
