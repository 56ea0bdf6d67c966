import type { Server } from 'node:net';
import type { Readable } from 'node:stream';

/** What a sandbox is started from. Immutable: a sandbox serves one function version for life. */
export interface SandboxSpec {
  /** Names the sandbox in logs and errors: `[a-z0-9-]{1,64}`, unique within the worker. */
  readonly sandboxId: string;
  /** The file that holds the ext4 disk; may be a FUSE file under `/proc/PID/root/`. */
  readonly diskPath: string;
  /** The program and its arguments; a name without a slash is sought on the environment's PATH. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly uid: number;
  readonly gid: number;
  /** Memory of all processes together, without swap; more ends in the out-of-memory killer. */
  readonly memoryBytes: number;
  /** Thousandths of a CPU. */
  readonly cpuMillis: number;
  /** Size of the writable `/tmp`. */
  readonly tmpBytes: number;
  /** Processes and threads at once. */
  readonly processes: number;
  /** RLIMIT_NOFILE of each process. */
  readonly openFiles: number;
}

export interface SandboxExit {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** `SIGKILL`, `SIGSEGV`, …; null when it exited by itself. */
  readonly signal: string | null;
  readonly oomKilled: boolean;
}

/** A running sandbox. The caller cannot tell which isolation it has. */
export interface Sandbox {
  readonly sandboxId: string;
  /** Listens at 127.0.0.1:9001 inside; its connections come from the sandbox's own network. */
  readonly runtimeApi: Server;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the entrypoint ended and no process of the sandbox is left; never rejects. */
  readonly exited: Promise<SandboxExit>;
  /** Changes the limit of CPU of a running sandbox, in thousandths of a CPU. */
  limitCpu(cpuMillis: number): void;
  /** Stops all its processes where they are; they keep their memory and use no CPU. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The most memory that it used at once; after `stop` the last value known. */
  peakMemoryBytes(): Promise<number>;
  /** Idempotent. Kills all; resolves when no process, mount, loop device or cgroup is left. */
  stop(): Promise<void>;
}

/** What `sweep` found of an earlier, killed instance and removed. */
export interface SweepReport {
  readonly processes: number;
  readonly cgroups: number;
}
