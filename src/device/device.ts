import { assert } from '../base/mod.ts';
import type { AccessRun, PageRun } from './access-log.ts';
import type { BuiltPack } from './agent-messages.ts';
import type { AgentProcess } from './agent-process.ts';
import type { DeviceStats } from './device-counters.ts';

/** A device that an agent serves: a file of the disk's size. */
export interface Device {
  readonly deviceId: string;
  /** Where every process of the host finds the file: good as a loop device's backing file. */
  readonly path: string;
  /** Aborted when the agent died (reason: `AGENT_DIED`); from then on the file answers EIO. */
  readonly died: AbortSignal;
  stats(): Promise<DeviceStats>;
  /** What was read so far, in order of the first touch; empty unless it was opened to record. */
  accessRuns(): Promise<readonly AccessRun[]>;
  /** A start pack of these pages in their order, for the origin to keep. */
  pack(runs: readonly PageRun[]): Promise<BuiltPack>;
  /** Takes the file away; whoever has it open gets ESTALE. Resolves with the last stats. */
  close(): Promise<DeviceStats | undefined>;
}

export interface AgentDeviceOptions {
  readonly deviceId: string;
  readonly path: string;
  readonly agent: AgentProcess<never>;
  /** Called once the agent no longer shows the device. */
  readonly onClose: () => Promise<void> | void;
}

export class AgentDevice implements Device {
  readonly deviceId: string;
  readonly path: string;
  readonly #agent: AgentProcess<never>;
  readonly #onClose: () => Promise<void> | void;
  #closing: Promise<DeviceStats | undefined> | undefined;

  constructor({ deviceId, path, agent, onClose }: AgentDeviceOptions) {
    this.deviceId = deviceId;
    this.path = path;
    this.#agent = agent;
    this.#onClose = onClose;
  }

  get died(): AbortSignal {
    return this.#agent.died;
  }

  async stats(): Promise<DeviceStats> {
    const { stats } = await this.#agent.request({ type: 'stats', deviceId: this.deviceId });
    return stats as DeviceStats;
  }

  async accessRuns(): Promise<readonly AccessRun[]> {
    const { runs } = await this.#agent.request({ type: 'log', deviceId: this.deviceId });
    return runs ?? [];
  }

  async pack(runs: readonly PageRun[]): Promise<BuiltPack> {
    const { deviceId } = this;
    const { pack } = await this.#agent.request({ type: 'pack', deviceId, runs });
    assert(pack, 'an agent that was asked for a pack answers with one');
    return pack;
  }

  async close(): Promise<DeviceStats | undefined> {
    this.#closing ??= this.#close();
    return await this.#closing;
  }

  /** With its agent dead, a device is closed already. */
  async #close(): Promise<DeviceStats | undefined> {
    try {
      const { deviceId } = this;
      const { stats } = await this.#agent.request({ type: 'close', deviceId });
      return stats;
    } catch (error) {
      if (!this.#agent.died.aborted) throw error;
      return undefined;
    } finally {
      await this.#onClose();
    }
  }
}
