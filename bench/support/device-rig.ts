import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AgentSettings } from '../../src/agent/agent-settings.ts';
import { spawnAgent } from '../../src/agent/spawn-agent.ts';
import { MIB, noLogger, systemClock, systemRandom } from '../../src/base/mod.ts';
import { AgentPool, type Device } from '../../src/device/mod.ts';
import { directoryOrigin } from '../../src/origin/mod.ts';
import { type SealedDisk, sealDisk } from '../../test/support/sealed-disk.ts';

export const execute = promisify(execFile);

export interface DeviceRig {
  readonly directory: string;
  readonly originDirectory: string;
  /** Of a disk's bytes, or of the file that holds them. */
  seal(disk: Buffer | string): Promise<SealedDisk>;
  /** Agents that share nothing with another pool's but the origin. */
  pool(settings?: Partial<AgentSettings>): AgentPool<AgentSettings>;
  close(): Promise<void>;
}

/** A directory, an origin in it, and agents. */
export async function deviceRig(): Promise<DeviceRig> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-device-'));
  const originDirectory = join(directory, 'origin');
  const place = { kind: 'directory', directory: originDirectory } as const;
  const origin = directoryOrigin(originDirectory, { clock: systemClock, random: systemRandom });
  const pools: AgentPool<AgentSettings>[] = [];
  return {
    directory,
    originDirectory,
    seal: (disk) => sealDisk(disk, origin, join(directory, 'keys')),
    pool: (settings = {}) => {
      const agents = new AgentPool<AgentSettings>({
        spawn: (place) => spawnAgent(place),
        directory: join(directory, `agents-${pools.length}`),
        settings: { origin: place, memoryBytes: 512 * MIB, ...settings },
        spareAgents: 1,
        clock: systemClock,
        random: systemRandom,
        logger: noLogger,
      });
      pools.push(agents);
      return agents;
    },
    close: async () => {
      await Promise.all(pools.map((agents) => agents.close()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

let opened = 0;

export async function openSealed(
  agents: AgentPool<AgentSettings>,
  sealed: SealedDisk,
  writable = false,
): Promise<Device> {
  return await agents.open({ ...sealed, deviceId: `bench-${++opened}`, writable });
}

export async function dropPageCache(): Promise<void> {
  await execute('sh', ['-c', 'sync; echo 1 > /proc/sys/vm/drop_caches']);
}

export async function emptyDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}
