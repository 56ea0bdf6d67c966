import type { ErrorCode } from '../base/mod.ts';
import type { RuntimeSandbox, SandboxRuntimeApi } from '../runtime/mod.ts';
import type { SandboxTemplate } from './template.ts';

/** A device that shows one image's disk, open for one sandbox. */
export interface OpenDevice {
  /** The file that holds the disk. */
  readonly path: string;
  /** The sandbox on it has started: what was read by now belongs to a start. Never rejects. */
  started(): Promise<void>;
  close(): Promise<void>;
  /** Since it was opened: what was fetched, and reads that failed. Rejects with `AGENT_DIED`. */
  stats(): Promise<{
    readonly bytesFetched: number;
    readonly chunksFetched: number;
    readonly failedReads: number;
    readonly lastFailure?: ErrorCode | undefined;
  }>;
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

export type RuntimeApiFactory = (sandbox: RuntimeSandbox) => SandboxRuntimeApi;

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

export interface StartTimings {
  readonly deviceMs: number;
  readonly sandboxMs: number;
  readonly initMs: number;
  /** Fetched through the device up to the end of init. */
  readonly bytesFetched: number;
}

/** How one invoke came out, from the worker to whoever asked. A function that failed is an outcome. */
export interface InvokeOutcome {
  readonly status: 'ok' | 'function-error';
  /** Empty where the response went to a sink. */
  readonly payload: Buffer;
  readonly functionError?: 'Unhandled';
  /** The last 4 KB of the invoke's log, where it was asked for. */
  readonly logTail?: Buffer;
  /** `$LATEST` or a number. */
  readonly executedVersion: string;
  /** From the event's delivery to the runtime's response. */
  readonly durationMs: number;
  /** What the start of the sandbox took, where this invoke is its first. */
  readonly start?: StartTimings | undefined;
}
