import type { ChildProcess, SendHandle } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError, toSluiceError } from '../../base/mod.ts';
import { DOORBELL_NAME } from '../../fuse/mod.ts';
import type { HelperSpawner } from '../jail/jails.ts';
import type { Helper } from '../jail/types.ts';
import type { SandboxSpec } from '../spec.ts';
import type { WardenChannel } from './client.ts';
import type { NetworkKind, WardenOrder, WardenWord } from './messages.ts';
import { type WardedSandboxes, WardenSandboxes } from './warden-sandboxes.ts';

/** `O_PATH` of include/uapi/asm-generic/fcntl.h: holds a file without opening it. */
const O_PATH = 0o10000000;

export interface WardenOptions {
  readonly channel: WardenChannel;
  readonly jails: HelperSpawner;
  /** Throws `ACCESS_DENIED` for one that no region has a use for. Answers the one to start. */
  readonly admitHelper: (helper: Helper) => Helper;
  /** Throws `ACCESS_DENIED` for a sandbox of what is not the region's. */
  readonly admitSandbox: (spec: SandboxSpec, agents: ReadonlySet<number>) => void;
  readonly openSandboxes: (network: NetworkKind) => Promise<WardedSandboxes>;
}

/** What goes with an answer. */
export interface Reply {
  readonly value?: unknown;
  /** A socket, passed on. */
  readonly handle?: SendHandle;
}

/** Says something to the region; resolves when it was taken. */
export type Tell = (word: WardenWord, handle?: SendHandle) => Promise<void>;

/**
 * The process that keeps what a region's own gave up: root, with the capabilities that jails and
 * sandboxes are made with. It parses nothing that a tenant wrote, does only what `WardenOrder` says,
 * and composes itself what runs with privileges. It ends with the region.
 */
export class Warden {
  readonly #options: WardenOptions;
  readonly #helpers = new Map<number, { readonly child: ChildProcess; readonly helper: Helper }>();
  #sandboxes: WardenSandboxes | undefined;

  constructor(options: WardenOptions) {
    this.#options = options;
    const { channel } = options;
    channel.on('message', (order) => void this.#take(order as WardenOrder & { id: number }));
  }

  async #take(order: WardenOrder & { readonly id: number }): Promise<void> {
    const { id } = order;
    try {
      const { value, handle } = await this.#obey(order);
      await this.#tell({ type: 'answer', id, value }, handle);
    } catch (error) {
      await this.#tell({ type: 'refusal', id, error: toSluiceError(error).toJSON() });
    }
  }

  readonly #tell: Tell = (word, handle) => {
    const { channel } = this.#options;
    return new Promise((resolve) => {
      if (channel.connected) channel.send?.(word, handle, {}, () => resolve());
      else resolve();
    });
  };

  async #obey(order: WardenOrder): Promise<Reply> {
    switch (order.type) {
      case 'spawn':
        return { value: await this.#spawn(order.of, order.helper) };
      case 'tell':
        await send(this.#helper(order.of).child, order.message);
        return {};
      case 'kill':
        this.#helpers.get(order.of)?.child.kill(order.signal);
        return {};
      case 'hold':
        await this.#hold(order.of);
        return {};
      case 'open': {
        const opened = await this.#options.openSandboxes(order.network);
        this.#sandboxes = new WardenSandboxes(opened, this.#tell);
        return {};
      }
      case 'start':
        this.#options.admitSandbox(order.spec, this.#agents());
        return this.#opened().start(order);
      case 'end':
        await this.#options.jails.close();
        return {};
      default:
        return this.#opened().obey(order);
    }
  }

  #opened(): WardenSandboxes {
    if (this.#sandboxes) return this.#sandboxes;
    throw new SluiceError('ACCESS_DENIED', 'warden: sandboxes were not opened');
  }

  #helper(of: number): { readonly child: ChildProcess; readonly helper: Helper } {
    const found = this.#helpers.get(of);
    if (found) return found;
    throw new SluiceError('ACCESS_DENIED', `warden: there is no helper ${of}`);
  }

  /** Process numbers of the helpers that show devices. */
  #agents(): ReadonlySet<number> {
    const agents = [...this.#helpers.values()].filter(({ helper }) => helper.fuse);
    return new Set(agents.flatMap(({ child }) => child.pid ?? []));
  }

  async #spawn(of: number, given: Helper): Promise<number> {
    const helper = this.#options.admitHelper(given);
    const child = await this.#options.jails.spawn(helper);
    this.#helpers.set(of, { child, helper });
    child.on('message', (message) => void this.#tell({ type: 'message', of, message }));
    const { stderr } = child;
    stderr?.on('data', (bytes: Buffer) => {
      // What the channel has not taken waits in the helper's pipe, not in this process.
      stderr.pause();
      void this.#tell({ type: 'said', of, bytes }).then(() => stderr.resume());
    });
    const onEnd = (status: number | null, signal: NodeJS.Signals | null) => {
      if (this.#helpers.delete(of)) void this.#tell({ type: 'exit', of, status, signal });
    };
    child.once(child.stderr ? 'close' : 'exit', onEnd);
    child.once('error', () => onEnd(null, 'SIGKILL'));
    if (child.exitCode !== null || child.signalCode !== null)
      onEnd(child.exitCode, child.signalCode);
    return child.pid ?? 0;
  }

  /** An agent must not hold its own mount's file: killed amid a lookup it would wait for itself. */
  async #hold(of: number): Promise<void> {
    const { child, helper } = this.#helper(of);
    if (!helper.fuse) throw new SluiceError('ACCESS_DENIED', `warden: helper ${of} has no mount`);
    const path = join(`/proc/${child.pid}/root`, helper.fuse.mountPoint, DOORBELL_NAME);
    const held: FileHandle = await open(path, O_PATH);
    const release = () => void held.close().catch(() => {});
    if (child.exitCode !== null || child.signalCode !== null) release();
    else child.once('exit', release);
  }
}

function send(child: ChildProcess, message: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    child.send(message as object, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
