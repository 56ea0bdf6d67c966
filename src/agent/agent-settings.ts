import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { limits } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import type { DataDirectory } from '../config/mod.ts';
import { type OriginPlace, originEnvironment } from '../origin/mod.ts';

/** What an agent process composes its tiers from. */
export interface AgentSettings {
  readonly origin: OriginPlace;
  /** Room of the memory tier, for each agent. */
  readonly memoryBytes: number;
  /** The slab that all agents of the worker share; without one, chunks come from the origin. */
  readonly slab?: { readonly directory: string; readonly limitBytes: number };
  /** The zone's shared cache, if there is one. */
  readonly l2?: L2Settings;
  /** How often it tells the origin what its devices show; `limits.agent` says unless given. */
  readonly noteUseMs?: number;
}

/** The tiers of a data directory's agents: its origin, its slab, and the zone's cache if given. */
export function agentSettings(
  data: DataDirectory,
  place: OriginPlace,
  l2?: L2Settings,
): AgentSettings {
  return {
    origin: place,
    memoryBytes: limits.cache.memoryBytes,
    slab: { directory: data.cache, limitBytes: limits.cache.slabBytes },
    ...(l2 && { l2 }),
  };
}

const AGENT_MAIN = fileURLToPath(new URL('./agent-main.ts', import.meta.url));

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];

/** Someone waits for each page that an agent brings: it goes before those who compute. */
const NICENESS = -10;

/**
 * Starts an agent process in a mount namespace of its own (util-linux's `unshare`, which becomes
 * the agent by exec, so that the pid is the agent's), with nothing of this process's environment.
 */
export function spawnAgent(environment?: NodeJS.ProcessEnv): ChildProcess {
  const agent = [process.execPath, ...NODE_FLAGS, AGENT_MAIN];
  const unshare = ['unshare', '--mount', '--propagation', 'private'];
  return start('nice', [`--adjustment=${NICENESS}`, ...unshare, ...agent], environment);
}

/** The same in this process's mount namespace, for a device that the whole host shall see. */
export function spawnHostAgent(environment?: NodeJS.ProcessEnv): ChildProcess {
  const agent = [process.execPath, ...NODE_FLAGS, AGENT_MAIN];
  return start('nice', [`--adjustment=${NICENESS}`, ...agent], environment);
}

function start(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = originEnvironment(undefined),
): ChildProcess {
  return spawn(command, args, {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}
