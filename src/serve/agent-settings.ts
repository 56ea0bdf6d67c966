import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { limits } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import type { DataDirectory } from '../config/mod.ts';

/** What an agent process composes its tiers from. */
export interface AgentSettings {
  readonly originDirectory: string;
  /** Room of the memory tier, for each agent. */
  readonly memoryBytes: number;
  /** The slab that all agents of the worker share; without one, chunks come from the origin. */
  readonly slab?: { readonly directory: string; readonly limitBytes: number };
  /** The zone's shared cache, if there is one. */
  readonly l2?: L2Settings;
}

/** The tiers of a data directory's agents: its origin, its slab, and the zone's cache if given. */
export function agentSettings(data: DataDirectory, l2?: L2Settings): AgentSettings {
  return {
    originDirectory: data.origin,
    memoryBytes: limits.cache.memoryBytes,
    slab: { directory: data.cache, limitBytes: limits.cache.slabBytes },
    ...(l2 && { l2 }),
  };
}

const AGENT_MAIN = fileURLToPath(new URL('./agent-main.ts', import.meta.url));

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];

/**
 * Starts an agent process in a mount namespace of its own (util-linux's `unshare`, which becomes
 * the agent by exec, so that the pid is the agent's), with nothing of this process's environment.
 */
export function spawnAgent(): ChildProcess {
  const agent = [process.execPath, ...NODE_FLAGS, AGENT_MAIN];
  return start('unshare', ['--mount', '--propagation', 'private', ...agent]);
}

/** The same in this process's mount namespace, for a device that the whole host shall see. */
export function spawnHostAgent(): ChildProcess {
  return start(process.execPath, [...NODE_FLAGS, AGENT_MAIN]);
}

function start(command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}
