import type { SendHandle } from 'node:child_process';
import { type Clock, SluiceError } from '../../base/mod.ts';
import type { Launcher } from '../lean/launcher/launcher.ts';
import type { LeanOwner, LeanSandboxFactory } from '../lean/lean-factory.ts';
import type { LeanSandbox } from '../lean/lean-sandbox.ts';
import type { SandboxRemains } from '../provider.ts';
import type { StartedSandbox, WardenOrder } from './messages.ts';
import type { Reply, Tell } from './warden.ts';

/** What a warden opens once, to start sandboxes with. */
export interface WardedSandboxes {
  readonly factory: LeanSandboxFactory;
  readonly clock: Clock;
  close(): Promise<void>;
}

interface Warded {
  readonly abort: AbortController;
  launcher?: Launcher;
  sandbox?: LeanSandbox;
  /** The region has its output open. */
  opened?: () => void;
  /** The region has taken the last piece of output. */
  taken?: () => void;
}

type SandboxOrder = Exclude<
  WardenOrder,
  { readonly type: 'spawn' | 'tell' | 'kill' | 'hold' | 'open' | 'start' | 'end' }
>;

/** The sandboxes of a warden, by the numbers that its region gave them. */
export class WardenSandboxes {
  readonly #opened: WardedSandboxes;
  readonly #tell: Tell;
  readonly #sandboxes = new Map<number, Warded>();
  /** Of those that were reset, by the sandbox's number. */
  readonly #remains = new Map<number, SandboxRemains>();

  constructor(opened: WardedSandboxes, tell: Tell) {
    this.#opened = opened;
    this.#tell = tell;
  }

  async start(order: Extract<WardenOrder, { readonly type: 'start' }>): Promise<Reply> {
    const { of, on } = order;
    const { shape, identity } = order.spec;
    const { factory, clock } = this.#opened;
    const remains = this.#takeRemains(on);
    const warded: Warded = { abort: new AbortController() };
    this.#sandboxes.set(of, warded);
    const deadlineMs = clock.monotonicMs() + identity.deadlineMs;
    const spec = { shape, identity: { ...identity, deadlineMs } };
    const owner: LeanOwner = {
      signal: warded.abort.signal,
      onBegun: async (launcher, cgroup) => {
        warded.launcher = launcher;
        if (!launcher.pipes) return;
        const opened = new Promise<void>((resolve) => {
          warded.opened = resolve;
        });
        await this.#tell({ type: 'begun', of, begun: { ...launcher.pipes, cgroup } });
        await opened;
      },
      onEvent: (event) => {
        if (event.kind === 'stopped') this.#sandboxes.delete(of);
        void this.#tell({ type: 'event', of, event });
      },
    };
    try {
      const sandbox = await factory.start(spec, owner, remains);
      warded.sandbox = sandbox;
      if (sandbox.extensionOutput) void this.#relay(of, warded, sandbox.extensionOutput);
      const value: StartedSandbox = { externalExtensions: sandbox.externalExtensions };
      return { value, handle: sandbox.runtimeHandle as SendHandle };
    } catch (error) {
      warded.launcher?.releasePipes();
      this.#sandboxes.delete(of);
      throw error;
    }
  }

  async obey(order: SandboxOrder): Promise<Reply> {
    if (order.type === 'warm') await this.#opened.factory.warm(order.tmpBytes);
    else if (order.type === 'close') await this.#opened.close();
    else {
      const warded = this.#sandboxes.get(order.of);
      if (warded) return this.#obeyOne(order, warded);
      if (order.type === 'discard') await this.#takeRemains(order.of)?.discard();
      if (order.type === 'stop') return { value: 0 };
      if (order.type === 'connect' || order.type === 'reset') {
        throw new SluiceError('CANCELLED', `warden: sandbox ${order.of} has ended`);
      }
    }
    return {};
  }

  async #obeyOne(
    order: Exclude<SandboxOrder, { readonly type: 'warm' | 'close' }>,
    { abort, launcher, sandbox, opened, taken }: Warded,
  ): Promise<Reply> {
    if (order.type === 'opened') {
      launcher?.releasePipes();
      opened?.();
    } else if (order.type === 'taken') taken?.();
    else if (order.type === 'entrypoint') await sandbox?.startEntrypoint();
    else if (order.type === 'terminate') await sandbox?.terminate();
    else if (order.type === 'connect') return { handle: await sandbox?.connect(order.port) };
    else if (order.type === 'stop') {
      await sandbox?.stop();
      return { value: (await sandbox?.peakMemoryBytes()) ?? 0 };
    } else if (order.type === 'reset') {
      if (sandbox) this.#remains.set(order.of, await sandbox.reset());
      return { value: (await sandbox?.peakMemoryBytes()) ?? 0 };
    } else if (order.type === 'abort') abort.abort();
    return {};
  }

  #takeRemains(of: number | undefined): SandboxRemains | undefined {
    if (of === undefined) return undefined;
    const remains = this.#remains.get(of);
    this.#remains.delete(of);
    return remains;
  }

  /** A piece at a time: what nobody takes stays in the pipe, and its writers wait. */
  async #relay(of: number, warded: Warded, output: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const bytes of output) {
        const taken = new Promise<void>((resolve) => {
          warded.taken = resolve;
        });
        await this.#tell({ type: 'said', of, bytes });
        await taken;
      }
    } catch {
      // It ended with its sandbox.
    }
    await this.#tell({ type: 'exit', of, status: null, signal: null });
  }
}
