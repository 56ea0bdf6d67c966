import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What an agent process composes its tiers from. */
export interface AgentSettings {
  readonly originDirectory: string;
  /** Room of the memory tier, for each agent. */
  readonly memoryBytes: number;
}

const AGENT_MAIN = fileURLToPath(new URL('./agent-main.ts', import.meta.url));

/**
 * Starts an agent process in a mount namespace of its own (util-linux's `unshare`, which becomes
 * the agent by exec, so that the pid is the agent's), with nothing of this process's environment.
 */
export function spawnAgent(): ChildProcess {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', AGENT_MAIN];
  return spawn('unshare', ['--mount', '--propagation', 'private', ...node], {
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}
