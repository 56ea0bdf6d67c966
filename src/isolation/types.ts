import type { Server, Socket } from 'node:net';
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
  /** What the programs in `/opt/extensions` find; absent: the entrypoint's. */
  readonly extensionEnvironment?: Readonly<Record<string, string>> | undefined;
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

/** How a program of `/opt/extensions` ended. */
export interface ExtensionExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it never ran: the name of an errno. */
  readonly launchError?: string | undefined;
}

/** A program of `/opt/extensions`. */
export interface SandboxExtension {
  /** Its file's name. */
  readonly name: string;
  /** Never rejects. */
  readonly exited: Promise<ExtensionExit>;
}

/** A running sandbox. The caller cannot tell which isolation it has. */
export interface Sandbox {
  readonly sandboxId: string;
  /** Listens at 127.0.0.1:9001 inside; its connections come from the sandbox's own network. */
  readonly runtimeApi: Server;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Settles when the entrypoint ended, and no process of the sandbox is left unless it has
   * extensions; never rejects.
   */
  readonly exited: Promise<SandboxExit>;
  /** They run already; where there are any, the entrypoint waits for `startEntrypoint`. */
  readonly externalExtensions: readonly SandboxExtension[];
  /** What extensions print; absent without any. */
  readonly extensionOutput: Readable | undefined;
  /** Rejects with `SANDBOX_START_FAILED` naming the step; does nothing if it runs already. */
  startEntrypoint(): Promise<void>;
  /** Sends SIGTERM to the entrypoint, if it runs. */
  terminate(): Promise<void>;
  /** Connects to a port of its loopback interface; the socket may fail when it is first used. */
  connect(port: number): Promise<Socket>;
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
