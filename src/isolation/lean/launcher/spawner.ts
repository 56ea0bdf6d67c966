import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { launchBinary } from '../../launch/binary.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import { composeLauncher, composeSpawner } from '../compose/boot.ts';
import type { HandOver } from '../compose/hand-over.ts';
import { Launcher, type OutputPipes, type ServerHandle } from './launcher.ts';

/**
 * The process that forks launchers. Node starts it once: a fork of Node itself takes milliseconds
 * in which nothing else runs, one of this process takes microseconds. Should it die, the next
 * launcher starts another; it leaves when its control channel closes.
 */
export class Spawner {
  readonly #architecture: MachineArchitecture;
  readonly #ownNetwork: boolean;
  readonly #pipesDirectory: string | undefined;
  readonly #launchers = new Map<number, Launcher>();
  #child: ChildProcess | undefined;
  #counter = 0;

  /**
   * With `ownNetwork` each launcher has a network namespace of its own; with `pipesDirectory` its
   * output is in named pipes there.
   */
  constructor(architecture: MachineArchitecture, ownNetwork: boolean, pipesDirectory?: string) {
    this.#architecture = architecture;
    this.#ownNetwork = ownNetwork;
    this.#pipesDirectory = pipesDirectory;
  }

  /** A new launcher; its `booted` tells when it can be used. */
  spawn(): Launcher {
    const launcherId = this.#counter++;
    const pipes = this.#pipesOf(launcherId);
    const program = composeLauncher(this.#architecture, launcherId, this.#ownNetwork, pipes);
    const launcher = new Launcher(launcherId, program, pipes);
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

  #pipesOf(launcherId: number): OutputPipes | undefined {
    const directory = this.#pipesDirectory;
    if (directory === undefined) return undefined;
    const path = (name: string) => join(directory, `${launcherId}-${name}`);
    return { stdout: path('out'), stderr: path('err') };
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
    } else if (handle !== undefined) {
      if (launcher === undefined) (handle as ServerHandle).close();
      else launcher.serve(handle as ServerHandle);
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
