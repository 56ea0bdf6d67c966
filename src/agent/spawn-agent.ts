import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits, systemClock, systemRandom } from '../base/mod.ts';
import {
  FUSE_FD,
  type Helper,
  type HelperMount,
  type HelperSpawner,
  Jails,
  networkMounts,
  replaceableFile,
} from '../isolation/mod.ts';
import { noteKeeper, originCredentialFiles, originEnvironment } from '../origin/mod.ts';
import { hearNotes } from './agent-notes.ts';
import type { AgentSettings } from './agent-settings.ts';

const AGENT_MAIN = fileURLToPath(new URL('./agent-main.ts', import.meta.url));

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];

/** What an agent runs. */
export const AGENT_PROGRAM = { main: AGENT_MAIN, flags: NODE_FLAGS } as const;

/** Someone waits for each page that an agent brings: it goes before those who compute. */
const NICENESS = -10;

export interface AgentSpawnPlace {
  readonly directory: string;
  readonly settings: AgentSettings;
}

/**
 * Starts an agent in a jail that holds its own directory, the slab, and the origin to read, with
 * nothing of this process's environment; its FUSE is mounted before it is an agent. Rejects with
 * `HOST_LACKS`.
 */
export async function spawnAgent(
  { directory, settings }: AgentSpawnPlace,
  jails: HelperSpawner = new Jails({ random: systemRandom }),
): Promise<ChildProcess> {
  const environment = originEnvironment(settings.origin);
  if (!jails.jails) return spawnInMountNamespace(environment);
  const mountPoint = join(directory, 'devices');
  mkdirSync(mountPoint);
  const isFar = settings.origin.kind !== 'directory' || settings.l2 !== undefined;
  const fuse = { mountPoint, maxReadBytes: limits.device.fuseMaxReadBytes };
  const helper: Helper = {
    name: 'agent',
    main: AGENT_MAIN,
    flags: NODE_FLAGS,
    environment: { ...environment, SLUICE_FUSE_FD: `${FUSE_FD}` },
    mounts: [{ path: directory, access: 'write' }, ...tierMounts(settings, directory)],
    network: isFar ? 'host' : 'none',
    fuse,
    niceness: NICENESS,
    stderr: 'inherit',
    memoryBytes: limits.helpers.agentMemoryBytes + settings.memoryBytes,
    processes: limits.helpers.processes,
    openFiles: limits.helpers.openFiles,
    fileBytes: Math.max(settings.slab?.limitBytes ?? 0, limits.image.flattenedSizeBytes),
  };
  const agent = await jails.spawn(helper);
  if (settings.origin.kind !== 'directory') return agent;
  return hearNotes(agent, noteKeeper(settings.origin.directory, systemClock, systemRandom));
}

function tierMounts({ origin, slab, l2 }: AgentSettings, directory: string): HelperMount[] {
  const mounts: HelperMount[] = [];
  const read = (path: string) => mounts.push({ path, access: 'read' });
  if (slab) {
    mkdirSync(slab.directory, { recursive: true, mode: 0o700 });
    mounts.push({ path: slab.directory, access: 'write' });
  }
  // One that is not there yet has no chunk either.
  if (origin.kind === 'directory' && existsSync(origin.directory)) read(origin.directory);
  originCredentialFiles(origin).forEach(read);
  if (l2) read(l2.secretFile);
  if (l2?.nodes.startsWith('@')) {
    const given = [directory, ...mounts.map(({ path }) => path)];
    mounts.push(replaceableFile(l2.nodes.slice(1), given));
  }
  if (l2 || origin.kind !== 'directory') mounts.push(...networkMounts());
  return mounts;
}

/** Who cannot make jails: util-linux's `unshare` becomes the agent by exec, so its pid is the agent's. */
function spawnInMountNamespace(environment: NodeJS.ProcessEnv): ChildProcess {
  const agent = [process.execPath, ...NODE_FLAGS, AGENT_MAIN];
  const unshare = ['unshare', '--mount', '--propagation', 'slave'];
  return start('nice', [`--adjustment=${NICENESS}`, ...unshare, ...agent], environment);
}

/**
 * An agent in this process's mount namespace and with its rights, for a device that the whole host
 * can see: only the operator's own command does that.
 */
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
