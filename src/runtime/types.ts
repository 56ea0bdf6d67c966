import type { Server, Socket } from 'node:net';

/**
 * One event for a function. It is made once, where the event comes in, and handed on as it is, to
 * the runtime's `GET …/invocation/next`.
 */
export interface Invocation {
  readonly requestId: string;
  readonly payload: Buffer;
  /** As the caller named the function: with its alias or version, if any. */
  readonly invokedFunctionArn: string;
  readonly traceId?: string | undefined;
  /** JSON text, already decoded from the base64 of `X-Amz-Client-Context`. */
  readonly clientContext?: string | undefined;
  readonly cognitoIdentity?: string | undefined;
  readonly tenantId?: string | undefined;
  /** Whether the end of the log is wanted with the answer. */
  readonly logTail: boolean;
  /** Takes the response as it comes; without one it is collected. */
  readonly sink?: ResponseSink | undefined;
}

/** Where a streamed response goes while the runtime still sends it. */
export interface ResponseSink {
  /** Called once, before the first byte. */
  begin(contentType: string): void;
  /** A promise means "wait": the runtime is not read from until it settles. */
  write(chunk: Buffer): Promise<void> | undefined;
}

/** How the runtime ended one invoke. */
export type RuntimeOutcome =
  | { readonly kind: 'response'; readonly body: Buffer; readonly contentType: string }
  /** The response went to the sink, whole. */
  | { readonly kind: 'streamed'; readonly sizeBytes: number; readonly contentType: string }
  /** The function failed; `body` is what the runtime posted, byte by byte. */
  | { readonly kind: 'error'; readonly body: Buffer; readonly errorType: string }
  /** An extension cannot go on, and its sandbox with it. */
  | { readonly kind: 'fatal'; readonly body: Buffer; readonly errorType: string }
  /** An extension has ended, and its sandbox with it. */
  | { readonly kind: 'broken'; readonly message: string; readonly errorType: string }
  | { readonly kind: 'oversize'; readonly limitBytes: number }
  /** `close` was called first. */
  | { readonly kind: 'closed' };

/** What a runtime or its extensions can be told of the end of their sandbox. */
export type ShutdownReason = 'spindown' | 'timeout' | 'failure';

/** The sandbox that the API is served to. */
export interface RuntimeSandbox {
  readonly identity: RuntimeIdentity;
  /** Names of the programs in `/opt/extensions`; whoever else registers is part of the runtime. */
  readonly externalExtensions: readonly string[];
  /** A connection to a port of the sandbox's loopback interface. */
  connect(port: number): Promise<Socket>;
  /** What happened to an extension, for the log and for telemetry. */
  onPlatformEvent(event: PlatformEvent): void;
}

/** `platform.extension`, …, and what is recorded of it (contract 2.7). */
export interface PlatformEvent {
  readonly type: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** One item of telemetry: a platform event, or a line that the function or an extension printed. */
export interface TelemetryEvent {
  /** ISO 8601. */
  readonly time: string;
  readonly type: string;
  readonly record: unknown;
}

/** Whose sandbox it is, as extensions are told when they register. */
export interface RuntimeIdentity {
  readonly accountId: string;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
}

/** How the runtime ended its init. */
export type InitOutcome =
  | { readonly kind: 'ready' }
  | { readonly kind: 'broken'; readonly message: string; readonly errorType: string }
  | { readonly kind: 'error'; readonly body: Buffer; readonly errorType: string }
  | { readonly kind: 'closed' };

/** The Runtime API of one sandbox, as whoever runs the sandbox sees it. */
export interface SandboxRuntimeApi {
  /** Settles once, at the first `next`, at `init/error`, or at `close`. */
  readonly ready: Promise<InitOutcome>;
  /** Takes the connections of `server`, which listens inside the sandbox. */
  attach(server: Server): void;
  /** `deadlineEpochMs`: when the function's timeout falls due, milliseconds since the epoch. */
  invoke(invocation: Invocation, deadlineEpochMs: number): Promise<RuntimeOutcome>;
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
  readonly telemetry: {
    /** Whether anybody is sent what is emitted, or may yet ask for it. */
    readonly isHeard: boolean;
    emit(event: TelemetryEvent): void;
    /** Resolves when all is sent that was emitted before. */
    flush(): Promise<void>;
  };
  close(): void;
}
