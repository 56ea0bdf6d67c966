import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type SealedDisk, sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { MIB, noLogger, systemClock, systemRandom } from '../base/mod.ts';
import { AgentPool, type Device } from '../device/mod.ts';
import { directoryOrigin } from '../origin/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { spawnAgent } from './spawn-agent.ts';

/** Agents over an origin of the test's own, and what fills and opens it. */
export interface Rig {
  readonly agents: AgentPool<AgentSettings>;
  readonly directory: string;
  readonly settings: AgentSettings;
  seal(disk: Buffer, accountId?: string): Promise<SealedDisk>;
  show(sealed: SealedDisk, options?: { writable?: boolean }): Promise<Device>;
}

export function rig(t: TestContext, overlayLimitBytes = 16 * MIB): Rig {
  const directory = temporaryDirectory(t, 'agent');
  const originDirectory = join(directory, 'origin');
  const origin = directoryOrigin(originDirectory, { clock: systemClock, random: systemRandom });
  const place = { kind: 'directory', directory: originDirectory } as const;
  const settings = { origin: place, memoryBytes: 32 * MIB };
  const agents = new AgentPool<AgentSettings>({
    spawn: (place) => spawnAgent(place),
    directory: join(directory, 'agents'),
    settings,
    spareAgents: 0,
    clock: systemClock,
    random: systemRandom,
    logger: noLogger,
  });
  t.after(() => agents.close());
  let opened = 0;
  return {
    agents,
    directory,
    settings,
    seal: (disk, accountId) => sealDisk(disk, origin, join(directory, 'keys'), accountId),
    show: (sealed, { writable = false } = {}) =>
      agents.open({ ...sealed, deviceId: `device-${++opened}`, writable, overlayLimitBytes }),
  };
}

/** Random bytes with holes of every alignment, zero chunks among them. */
export function someDisk(sizeBytes: number): Buffer {
  const disk = randomBytes(sizeBytes);
  disk.fill(0, 1 * MIB, 2 * MIB);
  disk.fill(0, 3 * MIB + 5000, 3 * MIB + 50_000);
  return disk;
}

/** What the host has mounted below a directory. */
export function mountsBelow(directory: string): string[] {
  const table = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return table.filter((line) => line.includes(` ${directory}/`));
}
