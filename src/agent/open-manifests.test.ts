import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import { MIB, noLogger, systemClock, systemRandom } from '../base/mod.ts';
import { AgentPool } from '../device/mod.ts';
import { directoryOrigin, type RootAlarm } from '../origin/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { spawnAgent } from './spawn-agent.ts';

test('a device that caches answer alone keeps its expired root from deletion', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const directory = temporaryDirectory(t, 'open-manifests');
  const place = { kind: 'directory', directory: join(directory, 'origin') } as const;
  const origin = directoryOrigin(place.directory, { clock: systemClock, random: systemRandom });
  const agents = new AgentPool<AgentSettings>({
    spawn: (place) => spawnAgent(place),
    directory: join(directory, 'agents'),
    settings: { origin: place, memoryBytes: 16 * MIB, noteUseMs: 50 },
    ...{ spareAgents: 0, clock: systemClock, random: systemRandom, logger: noLogger },
  });
  t.after(() => agents.close());
  const disk = randomBytes(2 * MIB);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  const request = { ...sealed, deviceId: 'd', writable: false };
  const device = await agents.open(request);
  assert.ok(disk.equals(await readFile(device.path)), 'all of it is in memory from here on');

  const { rootId, manifestId } = sealed;
  await origin.advanceRoot(rootId, 'retired');
  await origin.advanceRoot(rootId, 'expired');
  const alarms: RootAlarm[] = [];
  await until('an alarm', async () => {
    for await (const alarm of origin.alarms()) alarms.push(alarm);
    return alarms.length > 0;
  });
  assert.deepEqual(alarms, [{ rootId, kind: 'manifest', name: manifestId }]);
});
