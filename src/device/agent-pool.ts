import type { ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, limits, type Random, type Timer } from '../base/mod.ts';
import { AgentProcess } from './agent-process.ts';
import { AgentDevice, type Device } from './device.ts';
import type { OpenDeviceRequest } from './open-device.ts';

/**
 * Starts an agent process in a mount namespace of its own, with an IPC channel of advanced
 * serialization, whose pid is the child's.
 */
export type SpawnAgent<Settings> = (place: {
  /** The agent's own. */
  readonly directory: string;
  readonly settings: Settings;
}) => ChildProcess | Promise<ChildProcess>;

export interface AgentPoolOptions<Settings> {
  readonly spawn: SpawnAgent<Settings>;
  /** For the agents' mount points and overlays; what a killed predecessor left there is removed. */
  readonly directory: string;
  /** Handed to each agent as it is. */
  readonly settings: Settings;
  /** What one more agent has of them beside those that are there; the same when left out. */
  readonly oneMore?: (settings: Settings, others: readonly Settings[]) => Settings;
  /** How many agents without an account wait ready. */
  readonly spareAgents: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Agent<Settings> {
  readonly process: AgentProcess<Settings>;
  readonly directory: string;
  readonly devices: Set<AgentDevice>;
  idleTimer?: Timer;
  /** Ends with its last device. */
  draining?: boolean;
}

/**
 * The agents of a worker: one process per account, so that no process ever holds two accounts'
 * keys, taken from a few that were started ahead. Each runs in its own mount namespace, and ends
 * when the worker does; a device that loses its agent answers EIO from then on.
 */
export class AgentPool<Settings> {
  readonly #options: AgentPoolOptions<Settings>;
  readonly #byAccount = new Map<string, Promise<Agent<Settings>>>();
  readonly #spares: Promise<Agent<Settings>>[] = [];
  readonly #agents = new Set<Agent<Settings>>();
  /** Of those that start or live. */
  readonly #given = new Set<Settings>();
  #ready: Promise<void>;
  #replenishing: Timer | undefined;
  #closed = false;

  constructor(options: AgentPoolOptions<Settings>) {
    this.#options = options;
    this.#ready = rm(options.directory, { recursive: true, force: true })
      .then(() => mkdir(options.directory, { recursive: true, mode: 0o700 }))
      .then(() => this.#replenish());
    this.#ready.catch(() => {});
  }

  /** Resolves when the spare agents serve. Rejects with `HOST_LACKS` where they cannot. */
  async warm(): Promise<void> {
    await this.#ready;
    await Promise.all(this.#spares);
  }

  /** Rejects with the manifest's and the key service's errors, `AGENT_DIED`, `HOST_LACKS`. */
  async open(request: OpenDeviceRequest): Promise<Device> {
    const { deviceId, accountId } = request;
    await this.#ready;
    const agent = await this.#agentOf(accountId);
    const device: AgentDevice = new AgentDevice({
      deviceId,
      path: agent.process.pathOf(deviceId),
      agent: agent.process,
      onClose: () => this.#released(agent, device),
    });
    agent.idleTimer?.cancel();
    agent.devices.add(device);
    try {
      await agent.process.open(request);
    } catch (error) {
      this.#released(agent, device);
      throw error;
    }
    return device;
  }

  /**
   * Lets new agents, of the program as it is on disk now, take over all devices opened from here on;
   * the present ones keep theirs, and end with the last of them.
   */
  drain(): void {
    const present = [...this.#spares.splice(0), ...this.#byAccount.values()];
    this.#byAccount.clear();
    this.#replenish();
    for (const each of present) {
      each.then(
        (agent) => {
          agent.draining = true;
          this.#endIfUnused(agent);
        },
        () => {},
      );
    }
  }

  /** Ends every agent; devices that are still open answer EIO. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#replenishing?.cancel();
    await this.#ready.catch(() => {});
    await Promise.allSettled([...this.#spares, ...this.#byAccount.values()]);
    await Promise.all([...this.#agents].map((agent) => agent.process.kill()));
    await rm(this.#options.directory, { recursive: true, force: true });
  }

  async #agentOf(accountId: string): Promise<Agent<Settings>> {
    const known = this.#byAccount.get(accountId);
    if (known) return await known;
    const agent = this.#spares.shift() ?? this.#start(false);
    this.#byAccount.set(accountId, agent);
    this.#replenishLater();
    try {
      const started = await agent;
      started.process.died.addEventListener('abort', () => this.#forget(accountId, agent));
      if (started.process.died.aborted) this.#forget(accountId, agent);
      return started;
    } catch (error) {
      this.#forget(accountId, agent);
      throw error;
    }
  }

  #forget(accountId: string, agent: Promise<Agent<Settings>>): void {
    if (this.#byAccount.get(accountId) === agent) this.#byAccount.delete(accountId);
  }

  /** Starting an agent takes a processor for most of a second: whoever took a spare goes first. */
  #replenishLater(): void {
    this.#replenishing ??= this.#options.clock.setTimer(limits.agent.replenishMs, () => {
      this.#replenishing = undefined;
      this.#replenish();
    });
  }

  #replenish(): void {
    while (!this.#closed && this.#spares.length < this.#options.spareAgents) {
      const spare = this.#start(true);
      // One that fails now is asked for, and heard, when it is needed.
      spare.catch(() => {});
      this.#spares.push(spare);
    }
  }

  async #start(rehearse: boolean): Promise<Agent<Settings>> {
    const { oneMore = (all: Settings) => ({ ...all }) } = this.#options;
    const settings = oneMore(this.#options.settings, [...this.#given]);
    this.#given.add(settings);
    try {
      return await this.#startWith(settings, rehearse);
    } catch (error) {
      this.#given.delete(settings);
      throw error;
    }
  }

  async #startWith(settings: Settings, rehearse: boolean): Promise<Agent<Settings>> {
    const { spawn, clock, random, logger } = this.#options;
    const directory = join(this.#options.directory, random.uuid());
    await mkdir(directory, { mode: 0o700 });
    const child = await spawn({ directory, settings });
    const process = new AgentProcess<Settings>(child, clock);
    const agent: Agent<Settings> = { process, directory, devices: new Set() };
    this.#agents.add(agent);
    process.died.addEventListener('abort', () => {
      this.#agents.delete(agent);
      this.#given.delete(settings);
      if (agent.devices.size > 0) {
        logger.error({ devices: agent.devices.size }, 'an agent died; its devices answer EIO');
      }
      rm(directory, { recursive: true, force: true }).catch(() => {});
    });
    try {
      await process.start({ directory, settings, rehearse });
    } catch (error) {
      await process.kill();
      throw error;
    }
    return agent;
  }

  #released(agent: Agent<Settings>, device: AgentDevice): void {
    agent.devices.delete(device);
    if (agent.devices.size > 0) return;
    agent.idleTimer?.cancel();
    if (agent.draining) {
      this.#endIfUnused(agent);
      return;
    }
    const { clock } = this.#options;
    agent.idleTimer = clock.setTimer(limits.agent.idleMs, () => this.#endIfUnused(agent));
  }

  #endIfUnused(agent: Agent<Settings>): void {
    if (agent.devices.size === 0) agent.process.kill().catch(() => {});
  }
}
