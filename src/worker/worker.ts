import type {
  HostedSandbox,
  InitializationType,
  SandboxHost,
  SandboxTemplate,
} from '../assignment/mod.ts';
import {
  type Clock,
  type Logger,
  limits,
  type Random,
  SluiceError,
  toSluiceError,
} from '../base/mod.ts';
import type { SandboxProvider } from '../isolation/mod.ts';
import { logStreamName, shapeOf } from './environment.ts';
import { type InitPhase, initDoneEvents } from './platform-events.ts';
import { failureOfStart, type InitResult, RuntimeRun } from './runtime-run.ts';
import { SandboxLog } from './sandbox-log.ts';
import type {
  CredentialIssuer,
  DeviceProvider,
  LogSink,
  OpenDevice,
  RuntimeApiFactory,
} from './types.ts';
import { WorkerSandbox } from './worker-sandbox.ts';

export interface WorkerOptions {
  readonly devices: DeviceProvider;
  readonly sandboxes: SandboxProvider;
  readonly runtimeApis: RuntimeApiFactory;
  readonly logs: LogSink;
  /** Absent: sandboxes have no keys. */
  readonly credentials?: CredentialIssuer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Cold starts at once; one more is refused. */
  readonly coldStartsAtOnce?: number;
  /** Whether runtime clients refuse what would fail on Lambda, instead of saying so in the log. */
  readonly strict?: boolean;
  readonly initTimeoutMs?: number;
  /** How long a sandbox idles before it is frozen; 0 for never. */
  readonly freezeAfterMs?: number;
}

interface StartOptions {
  readonly sandboxId: string;
  readonly initializationType: InitializationType;
  readonly signal: AbortSignal;
}

/** Starts sandboxes on this host: opens the device, starts the runtime on it, sees it through init. */
export class Worker implements SandboxHost {
  readonly #options: WorkerOptions;
  readonly #coldStartsAtOnce: number;
  readonly #strict: boolean;
  readonly #initTimeoutMs: number;
  readonly #sandboxes = new Set<WorkerSandbox>();
  #starting = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#strict = options.strict ?? false;
    this.#coldStartsAtOnce = options.coldStartsAtOnce ?? limits.worker.coldStartsAtOnce;
    this.#initTimeoutMs = options.initTimeoutMs ?? limits.lambda.initTimeoutMs;
  }

  /** Sandboxes that are up. */
  get sandboxes(): number {
    return this.#sandboxes.size;
  }

  /** Rejects with `START_LIMIT_EXCEEDED`, `SANDBOX_START_FAILED`, or what the device met. */
  async start(template: SandboxTemplate, options: StartOptions): Promise<HostedSandbox> {
    if (this.#starting >= this.#coldStartsAtOnce) {
      throw new SluiceError(
        'START_LIMIT_EXCEEDED',
        `${template.functionArn}: this worker starts ${this.#coldStartsAtOnce} sandboxes already`,
        { data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'starts-per-worker' } },
      );
    }
    this.#starting++;
    const issued = this.#options.credentials?.issue(template);
    try {
      const sandbox = await this.#start(template, options, issued?.environment ?? {});
      this.#sandboxes.add(sandbox);
      void sandbox.cleared.then(() => {
        issued?.revoke();
        this.#sandboxes.delete(sandbox);
      });
      return sandbox;
    } catch (error) {
      issued?.revoke();
      throw error;
    } finally {
      this.#starting--;
    }
  }

  /** Stops whatever still runs. */
  async close(): Promise<void> {
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.stop()));
  }

  async #start(
    template: SandboxTemplate,
    options: StartOptions,
    credentials: Readonly<Record<string, string>>,
  ): Promise<WorkerSandbox> {
    const { clock, devices } = this.#options;
    const { accountId, manifestId } = template;
    const deviceAtMs = clock.monotonicMs();
    const device = await devices.open({ deviceId: options.sandboxId, accountId, manifestId });
    const deviceMs = clock.monotonicMs() - deviceAtMs;
    try {
      options.signal.throwIfAborted();
      return await this.#startOn(device, deviceMs, template, { ...options, credentials });
    } catch (error) {
      await device.close().catch((closing) => {
        const { sandboxId } = options;
        this.#options.logger.error({ sandboxId, error: closing }, 'a device did not close');
      });
      throw toSluiceError(error, 'SANDBOX_START_FAILED');
    }
  }

  async #startOn(
    device: OpenDevice,
    deviceMs: number,
    template: SandboxTemplate,
    options: StartOptions & { readonly credentials: Readonly<Record<string, string>> },
  ): Promise<WorkerSandbox> {
    const { clock, random, logs, logger } = this.#options;
    const { sandboxId, initializationType, signal, credentials } = options;
    const logStream = logStreamName(template.version, clock.nowMs(), random.bytes(16));
    const log = new SandboxLog(template, logStream, clock, logs);
    const identity = { sandboxId, logStream, initializationType, credentials };
    const request = {
      template,
      shape: shapeOf(template, device.path, this.#strict),
      identity,
      log,
    };
    const sandboxAtMs = clock.monotonicMs();
    let initAtMs = sandboxAtMs;
    let run: RuntimeRun | undefined;
    let init: InitResult;
    try {
      run = await RuntimeRun.start(this.#options, { ...request, phase: 'init' }, signal);
      initAtMs = clock.monotonicMs();
      init = await this.#init(run, initializationType, signal);
    } catch (error) {
      await run?.stop();
      const failure = failureOfStart(error);
      if (!failure) throw error;
      init = { kind: 'failed', failure };
    }
    const initMs = clock.monotonicMs() - initAtMs;
    logInit(log, initializationType, 'init', init, initMs);
    if (run && init.kind !== 'ready') {
      if (init.kind === 'failed') await run.outputRead();
      await run.shutdown(init.kind === 'timeout' ? 'timeout' : 'failure');
    }
    const { bytesFetched } = await device.stats();
    void device.started();
    return new WorkerSandbox({
      sandboxId,
      template,
      device,
      log,
      clock,
      logger,
      timings: { deviceMs, sandboxMs: initAtMs - sandboxAtMs, initMs, bytesFetched },
      run: init.kind === 'ready' ? run : undefined,
      freezeAfterMs: this.#options.freezeAfterMs ?? limits.worker.freezeAfterMs,
      initFailure: init.kind === 'failed' ? init.failure : undefined,
      restart: () => RuntimeRun.start(this.#options, { ...request, phase: 'invoke' }),
    });
  }

  /** Init, cut short when nobody wants the sandbox any more. */
  async #init(
    run: RuntimeRun,
    initializationType: InitializationType,
    signal: AbortSignal,
  ): Promise<InitResult> {
    const onDemand = initializationType === 'on-demand';
    const init = run.init(onDemand ? this.#initTimeoutMs : limits.lambda.provisionedInitTimeoutMs);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await Promise.race([init, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function logInit(
  log: SandboxLog,
  type: InitializationType,
  phase: InitPhase,
  init: InitResult,
  initMs: number,
): void {
  const timeout = { kind: 'timeout', timeoutMs: initMs } as const;
  const failure = init.kind === 'failed' ? init.failure : timeout;
  const events = initDoneEvents(type, phase, init.kind === 'ready' ? undefined : failure, initMs);
  for (const event of events) log.platform(event);
}
