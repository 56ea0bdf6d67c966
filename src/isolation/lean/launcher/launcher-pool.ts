import type { Clock, Timer } from '../../../base/mod.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import type { NetworkAddress } from '../../network/addresses.ts';
import type { Launcher } from './launcher.ts';
import { Spawner } from './spawner.ts';

/** Let the start that took one be over by then. */
const REFILL_AFTER_MS = 10;

/** Joins a launcher's network namespace to a network. */
export interface LauncherNetwork {
  readonly nameservers: readonly string[];
  attach(pid: number): Promise<NetworkAddress>;
  detach(address: NetworkAddress): void;
}

interface Prepared {
  readonly launcher: Launcher;
  readonly address: Promise<NetworkAddress | undefined>;
}

/** Launchers booted, and joined to the network if there is one, ahead of their sandboxes. */
export class LauncherPool {
  readonly #spawner: Spawner;
  readonly #readyTarget: number;
  readonly #clock: Clock;
  readonly #network: LauncherNetwork | undefined;
  #refill: Timer | undefined;
  readonly #ready: Prepared[] = [];
  #closed = false;

  constructor(
    architecture: MachineArchitecture,
    readyTarget: number,
    clock: Clock,
    network?: LauncherNetwork,
    pipesDirectory?: string,
  ) {
    this.#spawner = new Spawner(architecture, network !== undefined, pipesDirectory);
    this.#network = network;
    this.#readyTarget = readyTarget;
    this.#clock = clock;
  }

  /** A booted launcher, of the caller's own from now on. */
  async acquire(): Promise<{ launcher: Launcher; address: NetworkAddress | undefined }> {
    const { launcher, address } = this.#ready.shift() ?? this.#prepare();
    this.#refill ??= this.#clock.setTimer(REFILL_AFTER_MS, () => this.#fill());
    try {
      await launcher.booted;
      return { launcher, address: await address };
    } catch (error) {
      launcher.kill();
      throw error;
    }
  }

  #prepare(): Prepared {
    const launcher = this.#spawner.spawn();
    const address = this.#join(launcher);
    address.catch(() => {});
    return { launcher, address };
  }

  async #join(launcher: Launcher): Promise<NetworkAddress | undefined> {
    await launcher.booted;
    const network = this.#network;
    const address = await network?.attach(launcher.pid);
    if (address) void launcher.gone.then(() => network?.detach(address));
    return address;
  }

  #fill(): void {
    this.#refill = undefined;
    while (!this.#closed && this.#ready.length < this.#readyTarget) {
      const prepared = this.#prepare();
      void prepared.launcher.gone.then(() => this.#forget(prepared));
      this.#ready.push(prepared);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#refill?.cancel();
    const left = this.#ready.splice(0);
    for (const { launcher } of left) launcher.end();
    await Promise.allSettled(left.flatMap(({ launcher, address }) => [launcher.gone, address]));
    await this.#spawner.close();
  }

  #forget(prepared: Prepared): void {
    const index = this.#ready.indexOf(prepared);
    if (index < 0) return;
    this.#ready.splice(index, 1);
    prepared.launcher.end();
  }
}
