import type { Server, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { SandboxTemplate } from '../assignment/mod.ts';

/** A device that shows one image's disk, open for one sandbox. */
export interface OpenDevice {
  /** The file that holds the disk. */
  readonly path: string;
  /** The sandbox on it has started: what was read by now belongs to a start. Never rejects. */
  started(): Promise<void>;
  close(): Promise<void>;
  /** Fetched since it was opened. */
  stats(): Promise<{ readonly bytesFetched: number; readonly chunksFetched: number }>;
}

export interface DeviceProvider {
  open(request: {
    readonly deviceId: string;
    readonly accountId: string;
    readonly manifestId: string;
  }): Promise<OpenDevice>;
}

/** Keys that a sandbox signs requests with, and their end. */
export interface IssuedCredentials {
  readonly environment: Readonly<Record<string, string>>;
  revoke(): void;
}

export interface CredentialIssuer {
  issue(template: SandboxTemplate): IssuedCredentials;
}

/** What a sandbox is made of; its limits in bytes, thousandths of a CPU, and counts. */
export interface SandboxSpec {
  readonly sandboxId: string;
  readonly diskPath: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** What the programs in `/opt/extensions` find. */
  readonly extensionEnvironment?: Readonly<Record<string, string>> | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly memoryBytes: number;
  readonly cpuMillis: number;
  readonly tmpBytes: number;
  readonly processes: number;
  readonly openFiles: number;
}

/** How a sandbox's first process ended. */
export interface SandboxExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly oomKilled: boolean;
}

/** How a program of `/opt/extensions` ended; why it never ran, if so. */
export interface ExtensionExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly launchError?: string | undefined;
}

/** A running sandbox, whichever way it isolates. */
export interface Sandbox {
  readonly sandboxId: string;
  /** Listens inside the sandbox, where `AWS_LAMBDA_RUNTIME_API` points. */
  readonly runtimeApi: Server;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<SandboxExit>;
  /** Programs of `/opt/extensions`, which run; the entrypoint waits for its start if there are any. */
  readonly externalExtensions: readonly {
    readonly name: string;
    readonly exited: Promise<ExtensionExit>;
  }[];
  readonly extensionOutput: Readable | undefined;
  startEntrypoint(): Promise<void>;
  /** SIGTERM to the entrypoint. */
  terminate(): Promise<void>;
  /** Connects to a port of its loopback interface. */
  connect(port: number): Promise<Socket>;
  /** Changes the limit of CPU of a running sandbox, in thousandths of a CPU. */
  limitCpu(cpuMillis: number): void;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  peakMemoryBytes(): Promise<number>;
  /** Kills every process of it; idempotent; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

export interface SandboxProvider {
  start(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox>;
}

/** The Runtime API of one sandbox; `runtime` implements it. */
export interface SandboxRuntimeApi {
  readonly ready: Promise<RuntimeInitOutcome>;
  attach(server: Server): void;
  invoke(event: RuntimeApiEvent, sink?: RuntimeApiSink): Promise<RuntimeInvokeOutcome>;
  /** Resolves when the runtime asks for its next event. */
  settled(): Promise<void>;
  readonly extensions: {
    /** How many have registered. */
    readonly count: number;
    /** Resolves when all external ones have. */
    readonly registered: Promise<void>;
    /** Tells them of the end; answers the names of those that want to know. */
    shutdown(reason: ShutdownReason, deadlineEpochMs: number): readonly string[];
  };
  /** An external extension has ended that should not have. */
  extensionEnded(message: string, errorType: string): void;
  readonly telemetry: TelemetrySink & {
    /** Resolves when all is sent that was emitted before. */
    flush(): Promise<void>;
  };
  close(): void;
}

export type ShutdownReason = 'spindown' | 'timeout' | 'failure';

/** Where extensions that subscribed to telemetry are told from. */
export interface TelemetrySink {
  emit(event: { readonly time: string; readonly type: string; readonly record: unknown }): void;
}

export type RuntimeApiFactory = (sandbox: {
  readonly identity: {
    readonly accountId: string;
    readonly functionName: string;
    readonly functionVersion: string;
    readonly handler: string;
  };
  readonly externalExtensions: readonly string[];
  connect(port: number): Promise<Socket>;
  onPlatformEvent(event: {
    readonly type: string;
    readonly record: Readonly<Record<string, unknown>>;
  }): void;
}) => SandboxRuntimeApi;

export interface RuntimeApiEvent {
  readonly requestId: string;
  readonly payload: Buffer;
  readonly deadlineEpochMs: number;
  readonly invokedFunctionArn: string;
  readonly traceId?: string | undefined;
  readonly clientContext?: string | undefined;
}

export interface RuntimeApiSink {
  begin(contentType: string): void;
  write(chunk: Buffer): Promise<void> | undefined;
}

export type RuntimeInitOutcome =
  | { readonly kind: 'ready' }
  /** An extension has ended. */
  | { readonly kind: 'broken'; readonly message: string; readonly errorType: string }
  | { readonly kind: 'error'; readonly body: Buffer; readonly errorType: string }
  | { readonly kind: 'closed' };

export type RuntimeInvokeOutcome =
  | { readonly kind: 'response'; readonly body: Buffer }
  | { readonly kind: 'streamed' }
  | { readonly kind: 'error'; readonly body: Buffer; readonly errorType: string }
  /** As `error`, and the sandbox is of no more use. */
  | { readonly kind: 'fatal'; readonly body: Buffer; readonly errorType: string }
  | { readonly kind: 'broken'; readonly message: string; readonly errorType: string }
  | { readonly kind: 'oversize'; readonly limitBytes: number }
  | { readonly kind: 'closed' };

/** One line of a function's log. */
export interface LogLine {
  readonly timeEpochMs: number;
  readonly accountId: string;
  readonly logGroup: string;
  readonly logStream: string;
  /** Absent for what was written outside an invoke: during init, above all. */
  readonly requestId?: string | undefined;
  /** `platform` for START, END, REPORT and the like. */
  readonly source: 'function' | 'extension' | 'platform';
  readonly text: string;
}

/** Where the lines of a function's log go. */
export interface LogSink {
  write(line: LogLine): void;
}
