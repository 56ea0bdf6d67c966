import { type ChildProcess, spawn } from 'node:child_process';
import { Server, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { launchBinary } from '../../launch/binary.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import { composeLauncher, composeSpawner } from '../compose/boot.ts';
import type { HandOver } from '../compose/hand-over.ts';
import { Launcher } from './launcher.ts';

/**
 * The process that forks launchers. Node starts it once: a fork of Node itself takes milliseconds
 * in which nothing else runs, one of this process takes microseconds. Should it die, the next
 * launcher starts another; it leaves when its control channel closes.
 */
export class Spawner {
  readonly #architecture: MachineArchitecture;
  readonly #ownNetwork: boolean;
  readonly #launchers = new Map<number, Launcher>();
  #child: ChildProcess | undefined;
  #counter = 0;

  /** With `ownNetwork` each launcher has a network namespace of its own. */
  constructor(architecture: MachineArchitecture, ownNetwork: boolean) {
    this.#architecture = architecture;
    this.#ownNetwork = ownNetwork;
  }

  /** A new launcher; its `booted` tells when it can be used. */
  spawn(): Launcher {
    const launcherId = this.#counter++;
    const program = composeLauncher(this.#architecture, launcherId, this.#ownNetwork);
    const launcher = new Launcher(launcherId, program);
    this.#launchers.set(launcherId, launcher);
    void launcher.over.then(() => this.#launchers.delete(launcherId));
    controlOf(this.#running()).write(program.encode());
    return launcher;
  }

  /** Launchers that are still there stay; nothing new can be started from them. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exit = new Promise((resolve) => child.once('exit', resolve));
    controlOf(child).destroy();
    await exit;
  }

  #running(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = spawn(launchBinary(this.#architecture), [], {
      argv0: 'init',
      env: {},
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    controlOf(child).on('error', () => {});
    child.on('message', (message, handle) => this.#receive(message, handle));
    child.once('error', (error) => this.#lose(child, error.message));
    child.once('exit', () => this.#lose(child, 'the spawner ended'));
    controlOf(child).write(composeSpawner(this.#architecture).encode());
    this.#child = child;
    return child;
  }

  #receive(message: unknown, handle: unknown): void {
    const { launcherId, connectionId } = message as HandOver;
    const launcher = this.#launchers.get(launcherId);
    if (handle instanceof Socket) {
      if (launcher === undefined) handle.destroy();
      else if (connectionId !== undefined) launcher.handConnection(connectionId, handle);
      else launcher.connect(handle);
    } else if (handle instanceof Server) {
      if (launcher === undefined) handle.close();
      else launcher.serve(handle);
    }
  }

  #lose(child: ChildProcess, why: string): void {
    if (this.#child === child) this.#child = undefined;
    for (const launcher of this.#launchers.values()) launcher.lose(why);
  }
}

function controlOf(child: ChildProcess): Writable {
  return child.stdio[3] as Writable;
}
