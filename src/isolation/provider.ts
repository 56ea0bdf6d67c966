import type { Server, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { SandboxShape, SandboxSpec } from './spec.ts';

/** How the entrypoint of a sandbox ended. */
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

/** One event of a sandbox's life. */
export type SandboxEvent =
  | { readonly kind: 'extension-exited'; readonly name: string; readonly exit: ExtensionExit }
  /**
   * The entrypoint ended, and no process of the sandbox is left unless it has extensions. Comes
   * once, also of an entrypoint that `stop` ended or that never ran.
   */
  | { readonly kind: 'exited'; readonly exit: SandboxExit }
  /** Nothing of it is left; the last event. */
  | { readonly kind: 'stopped' };

/** Who brings a sandbox to life owns it: its events go to the owner alone, in order. */
export interface SandboxOwner {
  /** Not called before the start has succeeded, nor for one that fails. */
  readonly onEvent: (event: SandboxEvent) => void;
  /** Aborts the start; nothing is left of it, and it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Memory, processes and writable disks of a sandbox at one moment. */
export interface SandboxSnapshot {
  /** The kind of isolation that captured it, which alone can restore it. */
  readonly isolation: string;
  readonly shape: SandboxShape;
  /** Holds its files. */
  readonly directory: string;
}

/** What a sandbox that was reset left for the next start of its shape: its `/tmp`, and its user. */
export interface SandboxRemains {
  /** The kind of isolation that left them, which alone can start on them. */
  readonly isolation: string;
  /** Idempotent. */
  discard(): Promise<void>;
}

/** A running sandbox. The caller cannot tell which isolation it has. */
export interface Sandbox {
  readonly sandboxId: string;
  /** Listens at 127.0.0.1:9001 inside; its connections come from the sandbox's own network. */
  readonly runtimeApi: Server;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Names of the programs in `/opt/extensions`. They run already; where there are any, the
   * entrypoint waits for `startEntrypoint`.
   */
  readonly externalExtensions: readonly string[];
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
  /**
   * Stops all its processes where they are; they keep their memory and use no CPU. This, `thaw`
   * and `limitCpu` do nothing once it is stopped.
   */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The most memory that it used at once; after `stop` the last value known. */
  peakMemoryBytes(): Promise<number>;
  /**
   * Writes what it is into an empty directory; it goes on. Rejects with `ISOLATION_LACKS` where
   * the isolation cannot.
   */
  capture(directory: string): Promise<SandboxSnapshot>;
  /**
   * A second sandbox that goes on from where this one is; the spec's shape differs at most in the
   * file of its disk. Rejects with `ISOLATION_LACKS` where the isolation cannot.
   */
  fork(spec: SandboxSpec, owner: SandboxOwner): Promise<Sandbox>;
  /** Idempotent. Kills all; resolves when no process, mount, loop device or cgroup is left. */
  stop(): Promise<void>;
  /**
   * As `stop`, but what it wrote to a `/tmp` that rests on a disk stays, for one `start`. Rejects
   * with `CANCELLED` once `stop` or `reset` was called.
   */
  reset(): Promise<SandboxRemains>;
}

/** One kind of isolation: brings sandboxes to life. */
export interface SandboxProvider {
  /** `lean`, …: what errors and reports call it. */
  readonly isolation: string;
  /**
   * Resolves when the entrypoint runs, or the extensions if there are any. Rejects with `USAGE` for
   * a spec that cannot be, `DEADLINE_EXCEEDED`, or `SANDBOX_START_FAILED` naming the step; nothing
   * is left of a start that failed, nor of the `remains` that it was to begin on.
   */
  start(spec: SandboxSpec, owner: SandboxOwner, remains?: SandboxRemains): Promise<Sandbox>;
  /**
   * Goes on from where a sandbox was when it was captured, with another identity; the spec's shape
   * differs at most in the file of its disk. Rejects like `start`, and with `ISOLATION_LACKS`
   * where the isolation cannot.
   */
  restore(snapshot: SandboxSnapshot, spec: SandboxSpec, owner: SandboxOwner): Promise<Sandbox>;
}

/** What `sweep` found of an earlier, killed instance and removed. */
export interface SweepReport {
  readonly processes: number;
  readonly cgroups: number;
}
