import type { SandboxTemplate } from '../assignment/mod.ts';
import type { RuntimeSandbox, SandboxRuntimeApi } from '../runtime/mod.ts';

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
