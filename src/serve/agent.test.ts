import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { type SealedDisk, sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { MIB, noLogger, systemClock, systemRandom } from '../base/mod.ts';
import { AgentPool, type Device } from '../device/mod.ts';
import { directoryOrigin } from '../origin/mod.ts';
import { type AgentSettings, spawnAgent } from './agent-settings.ts';

interface Rig {
  readonly agents: AgentPool<AgentSettings>;
  readonly directory: string;
  seal(disk: Buffer): Promise<SealedDisk>;
  show(sealed: SealedDisk, options?: { writable?: boolean }): Promise<Device>;
}

function rig(t: TestContext, overlayLimitBytes = 16 * MIB): Rig {
  const directory = temporaryDirectory(t, 'agent');
  const originDirectory = join(directory, 'origin');
  const origin = directoryOrigin(originDirectory, { clock: systemClock, random: systemRandom });
  const agents = new AgentPool<AgentSettings>({
    spawn: spawnAgent,
    directory: join(directory, 'agents'),
    settings: { originDirectory, memoryBytes: 32 * MIB },
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
    seal: (disk) => sealDisk(disk, origin, join(directory, 'keys')),
    show: (sealed, { writable = false } = {}) =>
      agents.open({ ...sealed, deviceId: `device-${++opened}`, writable, overlayLimitBytes }),
  };
}

/** Random bytes with holes of every alignment, zero chunks among them. */
function someDisk(sizeBytes: number): Buffer {
  const disk = randomBytes(sizeBytes);
  disk.fill(0, 1 * MIB, 2 * MIB);
  disk.fill(0, 3 * MIB + 5000, 3 * MIB + 50_000);
  return disk;
}

const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8');

test('a device shows the bytes of its disk, and nothing of it is in the host mounts', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const before = mounts();
  const disk = someDisk(8 * MIB);
  const device = await show(await seal(disk));
  assert.ok(disk.equals(await readFile(device.path)));
  assert.equal(mounts(), before);
  const stats = await device.stats();
  assert.equal(stats.chunksFetched, 14);
  assert.equal(stats.tiers.origin.reads > 0, true);
  await device.close();
  await assert.rejects(readFile(device.path), { code: 'ENOENT' });
});
