/** Everything that a worker has to know to make a sandbox of one function version. */
export interface SandboxTemplate {
  readonly functionArn: string;
  readonly functionName: string;
  /** `$LATEST` or a number. */
  readonly version: string;
  /**
   * Changes with every change of code or configuration. Sandboxes of one revision never serve
   * another, so an update is complete the moment the frontend sends the new one.
   */
  readonly revision: string;
  readonly accountId: string;
  /** The ARN that the function was given; it names the sandbox to policies. */
  readonly role?: string | undefined;
  readonly region: string;
  readonly manifestId: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly ephemeralMb: number;
  /** The function's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** `Env` of the image's config. */
  readonly imageEnvironment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** `_HANDLER`; the first element of `command` if absent. */
  readonly handler?: string | undefined;
  /** `nodejs24.x`, …; absent for images and for `provided`. */
  readonly runtime?: string | undefined;
  readonly logGroup: string;
  /** Text if absent. */
  readonly logFormat?: 'Text' | 'JSON' | undefined;
  /** TRACE to FATAL, with format JSON only; INFO if absent. */
  readonly applicationLogLevel?: string | undefined;
  /** DEBUG, INFO or WARN, with format JSON only; INFO if absent. */
  readonly systemLogLevel?: string | undefined;
}

export type InitializationType = 'on-demand' | 'provisioned-concurrency';

/** Where a streamed response goes; see the Runtime API. */
export interface ResponseSink {
  begin(contentType: string): void;
  write(chunk: Buffer): Promise<void> | undefined;
}

export interface SandboxInvoke {
  readonly requestId: string;
  readonly payload: Buffer;
  readonly invokedFunctionArn: string;
  readonly traceId?: string | undefined;
  /** JSON text, decoded from base64. */
  readonly clientContext?: string | undefined;
  readonly logTail: boolean;
  readonly sink?: ResponseSink | undefined;
}

export interface SandboxAnswer {
  readonly status: 'ok' | 'function-error';
  readonly payload: Buffer;
  readonly functionError?: 'Unhandled';
  /** The last 4 KB of the invoke's log, where it was asked for. */
  readonly logTail?: Buffer;
  /** From the event's delivery to the runtime's response. */
  readonly durationMs: number;
}

export interface StartTimings {
  readonly deviceMs: number;
  readonly sandboxMs: number;
  readonly initMs: number;
  /** Fetched through the device up to the end of init. */
  readonly bytesFetched: number;
}

/** One sandbox on a worker. */
export interface HostedSandbox {
  readonly sandboxId: string;
  readonly timings: StartTimings;
  /** Init ended in an error of the function: the first invoke answers it, and that is the end. */
  readonly initFailed: boolean;
  /**
   * Runs one event; at most one at a time. `answer` always settles, also if the sandbox dies;
   * `settled` resolves with `true` once it may be lent again, with `false` if it never will be.
   */
  invoke(invoke: SandboxInvoke): { answer: Promise<SandboxAnswer>; settled: Promise<boolean> };
  /** Resolves as soon as it can serve no more, for whatever reason; `stop` waits for the rest. */
  readonly ended: Promise<void>;
  /** Idempotent; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/** What starts sandboxes: a worker, or a choice among several. */
export interface SandboxHost {
  /**
   * Resolves after init, or after its failure by the function's fault. Rejects with a
   * `SluiceError` when the fault is ours (`SANDBOX_START_FAILED`, `START_LIMIT_EXCEEDED`, …).
   */
  start(
    template: SandboxTemplate,
    options: { sandboxId: string; initializationType: InitializationType; signal: AbortSignal },
  ): Promise<HostedSandbox>;
}

/** How much may run at once, as of one invoke. */
export interface ConcurrencyAllowance {
  /** Of the whole account. */
  readonly account: number;
  /** What the account's functions have reserved, and those without a reservation provisioned. */
  readonly reservedTotal: number;
  /** What this function has reserved; absent means it draws on the unreserved rest. */
  readonly reserved?: number | undefined;
}

/** The limits in force for invokes that do not bring their own. */
export interface ConcurrencyLimits {
  of(accountId: string, functionArn: string): ConcurrencyAllowance;
}

export interface InvokeRequest {
  readonly template: SandboxTemplate;
  readonly requestId: string;
  readonly payload: Buffer;
  /** With its alias or version, if it was invoked by one; the template's ARN if absent. */
  readonly invokedFunctionArn?: string | undefined;
  readonly traceId?: string | undefined;
  readonly clientContext?: string | undefined;
  readonly logTail?: boolean;
  readonly sink?: ResponseSink | undefined;
  /** Absent: what the service's own `ConcurrencyLimits` say. */
  readonly concurrency?: ConcurrencyAllowance | undefined;
  /** Ends the wait for a sandbox. An event that a sandbox already has runs on. */
  readonly signal?: AbortSignal | undefined;
}

export interface InvokeTimings extends StartTimings {
  readonly coldStart: boolean;
  /** From the call to the loan of a sandbox. */
  readonly leaseMs: number;
  readonly durationMs: number;
}

export interface InvokeOutcome {
  readonly status: 'ok' | 'function-error';
  readonly payload: Buffer;
  readonly functionError?: 'Unhandled';
  readonly logTail?: Buffer;
  readonly executedVersion: string;
  /** Device, sandbox and init times are 0 unless this invoke is the first of its sandbox. */
  readonly timings: InvokeTimings;
}
