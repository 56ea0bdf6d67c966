import type { InitializationType, StartOrder } from '../assignment/mod.ts';
import {
  type Clock,
  type Logger,
  limits,
  MIB,
  type Random,
  SharedSemaphore,
  toSluiceError,
} from '../base/mod.ts';
import type { SandboxProvider } from '../isolation/mod.ts';
import { DiskFaults } from './disk-faults.ts';
import type { DiskPromises } from './disk-promises.ts';
import { logStreamName, shapeOf } from './environment.ts';
import { codeWarningEvent, type InitPhase, initDoneEvents } from './platform-events.ts';
import { type InitResult, RuntimeRun } from './runtime-run.ts';
import { SandboxLog } from './sandbox-log.ts';
import { failureOfStart } from './start-failure.ts';
import type { SandboxTemplate } from './template.ts';
import type {
  CredentialIssuer,
  DeviceProvider,
  LogSink,
  OpenDevice,
  RuntimeApiFactory,
} from './types.ts';
import { WorkerSandbox } from './worker-sandbox.ts';

export interface SandboxStarterOptions {
  readonly devices: DeviceProvider;
  readonly sandboxes: SandboxProvider;
  readonly runtimeApis: RuntimeApiFactory;
  readonly logs: LogSink;
  /** Absent: sandboxes have no keys. */
  readonly credentials?: CredentialIssuer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Whether runtime clients refuse what would fail on Lambda, instead of saying so in the log. */
  readonly strict?: boolean;
  readonly initTimeoutMs?: number;
  /** Absent: the disk's room is not checked. */
  readonly disk?: DiskPromises;
  /** How long a sandbox idles before it is frozen; 0 for never. */
  readonly freezeAfterMs?: number;
}

type StartOptions = Pick<StartOrder, 'sandboxId' | 'initializationType'> & {
  readonly signal: AbortSignal;
};

/** Makes one sandbox: opens the device, starts the runtime on it, sees it through init. */
export class SandboxStarter {
  readonly #options: SandboxStarterOptions;
  readonly #initTimeoutMs: number;
  /** Versions whose warnings are in their function's log; the oldest is forgotten first. */
  readonly #warned = new Set<string>();
  readonly #restarts = new SharedSemaphore({
    permits: limits.worker.restartsAtOnce,
    permitsPerKey: limits.worker.restartsAtOncePerAccount,
    maxWaiting: limits.worker.waitingInvokes,
    maxWaitingPerKey: limits.worker.waitingInvokes,
  });

  constructor(options: SandboxStarterOptions) {
    this.#options = options;
    this.#initTimeoutMs = options.initTimeoutMs ?? limits.lambda.initTimeoutMs;
  }

  /** Rejects with `SANDBOX_START_FAILED`, or what the device met. Its keys end with it. */
  async start(template: SandboxTemplate, options: StartOptions): Promise<WorkerSandbox> {
    const { functionArn, accountId, ephemeralMb } = template;
    const giveBack = this.#options.disk?.take(functionArn, accountId, ephemeralMb * MIB);
    const issued = this.#options.credentials?.issue(template);
    try {
      const sandbox = await this.#start(template, options, issued?.environment ?? {});
      void sandbox.cleared.then(() => {
        issued?.revoke();
        giveBack?.();
      });
      return sandbox;
    } catch (error) {
      issued?.revoke();
      giveBack?.();
      throw error;
    }
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
    this.#warn(template, log);
    const identity = { sandboxId, logStream, initializationType, credentials };
    const request = {
      template,
      shape: shapeOf(template, device.path, this.#options.strict ?? false),
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
    const faults = new DiskFaults(sandboxId, device);
    const fault = init.kind === 'failed' ? await faults.last() : undefined;
    if (fault) {
      await run?.stop();
      throw fault;
    }
    const initMs = clock.monotonicMs() - initAtMs;
    logInit(log, initializationType, 'init', init, initMs);
    if (init.kind === 'failed') {
      await run?.outputRead();
      await run?.shutdown('failure');
    }
    const remains = init.kind === 'timeout' ? await run?.reset('timeout') : undefined;
    const { bytesFetched } = await device.stats();
    void device.started();
    return new WorkerSandbox({
      sandboxId,
      template,
      ...{ device, faults },
      log,
      clock,
      logger,
      timings: { deviceMs, sandboxMs: initAtMs - sandboxAtMs, initMs, bytesFetched },
      run: init.kind === 'ready' ? run : undefined,
      remains,
      freezeAfterMs: this.#options.freezeAfterMs ?? limits.worker.freezeAfterMs,
      initFailure: init.kind === 'failed' ? init.failure : undefined,
      restarts: this.#restarts,
      restart: (left) =>
        RuntimeRun.start(this.#options, { ...request, phase: 'invoke', remains: left }),
    });
  }

  /** At the first start of a version here, so that its log begins with what is to be known of it. */
  #warn({ functionArn, revision, warnings = [] }: SandboxTemplate, log: SandboxLog): void {
    const version = `${functionArn} ${revision}`;
    if (warnings.length === 0 || this.#warned.has(version)) return;
    for (const warning of warnings) log.platform(codeWarningEvent(warning));
    const [oldest] = this.#warned;
    if (oldest && this.#warned.size >= limits.worker.versionsWarned) this.#warned.delete(oldest);
    this.#warned.add(version);
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
