import { closeSync, constants, openSync } from 'node:fs';
import { type Server, Socket } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';
import { type Clock, SluiceError } from '../../base/mod.ts';
import type { Cgroup, CgroupTree } from '../cgroup/types.ts';
import type { ServerHandle } from '../lean/launcher/launcher.ts';
import { LEAN } from '../lean/lean.ts';
import { LifeGate } from '../lean/life-gate.ts';
import { RuntimeServer } from '../lean/runtime-server.ts';
import type {
  Sandbox,
  SandboxOwner,
  SandboxProvider,
  SandboxRemains,
  SandboxSnapshot,
} from '../provider.ts';
import { isolationLacks } from '../refusal.ts';
import type { SandboxSpec } from '../spec.ts';
import type { WardenClient } from './client.ts';
import type { Begun, StartedSandbox, WordOf } from './messages.ts';

type SandboxOrder = 'entrypoint' | 'terminate';

/** A pipe that the warden made, which has a name as long as nobody has opened it. */
function openFifo(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, readable: true, writable: false });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** What a sandbox left, which the warden keeps. */
class RemoteRemains implements SandboxRemains {
  readonly isolation = LEAN;
  /** The number of the sandbox that left them. */
  readonly of: number;
  readonly #warden: WardenClient;

  constructor(warden: WardenClient, of: number) {
    this.#warden = warden;
    this.of = of;
  }

  async discard(): Promise<void> {
    await this.#warden.ask({ type: 'discard', of: this.of });
  }
}

/**
 * A sandbox that the warden started. Its output, its Runtime API's connections and its cgroup are
 * this process's to use, without the warden.
 */
class RemoteSandbox implements Sandbox {
  readonly sandboxId: string;
  readonly #warden: WardenClient;
  readonly #tree: CgroupTree;
  readonly #of: number;
  readonly #life: LifeGate;
  readonly #server: RuntimeServer;
  readonly #extensions = new PassThrough();
  #output: { readonly stdout: Socket; readonly stderr: Socket } | undefined;
  #cgroup: Cgroup | undefined;
  #names: readonly string[] = [];
  #peakBytes = 0;
  #stopping: Promise<void> | undefined;
  /** Why its output could not be opened. */
  #refusal: unknown;

  constructor(warden: WardenClient, tree: CgroupTree, spec: SandboxSpec, owner: SandboxOwner) {
    this.sandboxId = spec.identity.sandboxId;
    this.#warden = warden;
    this.#tree = tree;
    this.#life = new LifeGate(owner.onEvent);
    this.#server = new RuntimeServer(this.sandboxId);
    this.#of = warden.name((word) => this.#hear(word));
    warden.lost.addEventListener('abort', this.#lose, { once: true });
  }

  async start(
    spec: SandboxSpec,
    clock: Clock,
    signal: AbortSignal | undefined,
    on: number | undefined,
  ): Promise<this> {
    const deadlineMs = spec.identity.deadlineMs - clock.monotonicMs();
    const order = { ...spec, identity: { ...spec.identity, deadlineMs } };
    const onAbort = () => this.#warden.tell({ type: 'abort', of: this.#of });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const asked = this.#warden.ask({ type: 'start', of: this.#of, spec: order, on });
      const { value, handle } = await asked;
      this.#names = (value as StartedSandbox).externalExtensions;
      this.#server.arrive(handle as ServerHandle);
      this.#life.open();
      return this;
    } catch (error) {
      this.#forget();
      this.#output?.stdout.destroy();
      this.#output?.stderr.destroy();
      signal?.throwIfAborted();
      throw this.#refusal ?? error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  get runtimeApi(): Server {
    return this.#server.server;
  }

  get stdout(): Readable {
    return this.#output?.stdout ?? new PassThrough().end();
  }

  get stderr(): Readable {
    return this.#output?.stderr ?? new PassThrough().end();
  }

  get externalExtensions(): readonly string[] {
    return this.#names;
  }

  get extensionOutput(): Readable | undefined {
    return this.#names.length > 0 ? this.#extensions : undefined;
  }

  async startEntrypoint(): Promise<void> {
    await this.#ask('entrypoint');
  }

  async terminate(): Promise<void> {
    await this.#ask('terminate');
  }

  async connect(port: number): Promise<Socket> {
    const { handle } = await this.#warden.ask({ type: 'connect', of: this.#of, port });
    return handle as Socket;
  }

  limitCpu(cpuMillis: number): void {
    this.#cgroupUnlessStopped()?.limitCpu(cpuMillis);
  }

  async freeze(): Promise<void> {
    await this.#cgroupUnlessStopped()?.freeze();
  }

  async thaw(): Promise<void> {
    await this.#cgroupUnlessStopped()?.thaw();
  }

  async peakMemoryBytes(): Promise<number> {
    const cgroup = this.#cgroupUnlessStopped();
    if (cgroup) this.#peakBytes = Math.max(this.#peakBytes, await cgroup.peakMemoryBytes());
    return this.#peakBytes;
  }

  async capture(): Promise<SandboxSnapshot> {
    throw isolationLacks(LEAN, 'capture', this.sandboxId);
  }

  async fork(spec: SandboxSpec): Promise<Sandbox> {
    throw isolationLacks(LEAN, 'fork', spec.identity.sandboxId);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end('stop');
    return this.#stopping;
  }

  async reset(): Promise<SandboxRemains> {
    if (this.#stopping) throw new SluiceError('CANCELLED', `${this.sandboxId}: stops already`);
    this.#stopping = this.#end('reset');
    await this.#stopping;
    return new RemoteRemains(this.#warden, this.#of);
  }

  async #end(type: 'stop' | 'reset'): Promise<void> {
    this.#server.close();
    if (!this.#warden.lost.aborted) {
      const { value } = await this.#warden.ask({ type, of: this.#of });
      this.#peakBytes = Math.max(this.#peakBytes, value as number);
    }
    for (const each of [this.stdout, this.stderr, this.#extensions]) {
      if (each.readableFlowing === null) each.resume();
    }
  }

  async #ask(type: SandboxOrder): Promise<void> {
    await this.#warden.ask({ type, of: this.#of });
  }

  #cgroupUnlessStopped(): Cgroup | undefined {
    return this.#stopping === undefined ? this.#cgroup : undefined;
  }

  #hear(word: WordOf): void {
    if (word.type === 'begun') this.#begin(word.begun);
    else if (word.type === 'said') {
      this.#extensions.write(word.bytes, () => this.#warden.tell({ type: 'taken', of: this.#of }));
    } else if (word.type === 'exit') this.#extensions.end();
    else if (word.type === 'event') {
      if (word.event.kind === 'stopped') this.#forget();
      this.#life.tell(word.event);
    }
  }

  /** Nothing outlives the warden. */
  readonly #lose = (): void => {
    const exit = { exitCode: null, signal: 'SIGKILL', oomKilled: false };
    this.#life.tell({ kind: 'exited', exit });
    this.#life.tell({ kind: 'stopped' });
  };

  #forget(): void {
    this.#warden.forget(this.#of);
    this.#warden.lost.removeEventListener('abort', this.#lose);
  }

  /** The output is opened before it is the sandbox's, and before that can say anything. */
  #begin({ stdout, stderr, cgroup }: Begun): void {
    // A start that is tried again begins again.
    this.#output?.stdout.destroy();
    this.#output?.stderr.destroy();
    try {
      this.#output = { stdout: openFifo(stdout), stderr: openFifo(stderr) };
      this.#cgroup = this.#tree.at(cgroup);
      this.#warden.tell({ type: 'opened', of: this.#of });
    } catch (cause) {
      const message = `${this.sandboxId}: its output cannot be read`;
      const data = { step: 'open the output' };
      this.#refusal = new SluiceError('SANDBOX_START_FAILED', message, { data, cause });
      this.#warden.tell({ type: 'abort', of: this.#of });
    }
  }
}

/** Lean sandboxes that the warden makes, for a region that may not. */
export class RemoteSandboxes implements SandboxProvider {
  readonly isolation = LEAN;
  readonly #warden: WardenClient;
  readonly #tree: CgroupTree;
  readonly #clock: Clock;

  constructor(warden: WardenClient, tree: CgroupTree, clock: Clock) {
    this.#warden = warden;
    this.#tree = tree;
    this.#clock = clock;
  }

  async start(spec: SandboxSpec, owner: SandboxOwner, left?: SandboxRemains): Promise<Sandbox> {
    if (owner.signal?.aborted) await left?.discard();
    owner.signal?.throwIfAborted();
    if (left && !(left instanceof RemoteRemains)) {
      await left.discard();
      throw isolationLacks(LEAN, 'start on the remains of', spec.identity.sandboxId);
    }
    const sandbox = new RemoteSandbox(this.#warden, this.#tree, spec, owner);
    return sandbox.start(spec, this.#clock, owner.signal, left?.of);
  }

  async restore(_snapshot: SandboxSnapshot, spec: SandboxSpec): Promise<Sandbox> {
    throw isolationLacks(LEAN, 'restore', spec.identity.sandboxId);
  }

  async warm(tmpBytes: number): Promise<void> {
    await this.#warden.ask({ type: 'warm', tmpBytes });
  }

  async close(): Promise<void> {
    await this.#warden.ask({ type: 'close' });
  }
}
