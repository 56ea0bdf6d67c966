import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { limits, MIB, systemClock } from '../../src/base/mod.ts';
import type { Cgroup } from '../../src/isolation/cgroup/types.ts';
import { CgroupTreeV2 } from '../../src/isolation/cgroup/version-2.ts';
import { composeStart } from '../../src/isolation/lean/compose/start.ts';
import {
  hostArchitecture,
  type Launcher,
  type LaunchRecord,
} from '../../src/isolation/lean/launcher/launcher.ts';
import { Spawner } from '../../src/isolation/lean/launcher/spawner.ts';
import {
  procViewOf,
  readHostProc,
  readLastCapability,
} from '../../src/isolation/lean/proc-view.ts';
import { pollUntil } from '../../src/isolation/poll.ts';
import { hostHas } from '../support/host.ts';
import { loopDevicesOf, makeDisk, makeSpec, SANDBOX_NEEDS } from './sandbox-support.ts';

/**
 * The kernel's part of version 2 that needs no controller, on whatever host: a birth into a
 * cgroup, the freezer, and kill. What the controllers' files take is tested with files.
 */
test('a sandbox is born into a cgroup of version 2, and frozen and killed through it', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  // Not in /tmp, which is covered while the sandbox's root is put together.
  const mount = mkdtempSync('/run/sluice-cgroup2-');
  execFileSync('mount', ['-t', 'cgroup2', 'none', mount]);
  const parent = `sluice-test-${process.pid}`;
  mkdirSync(join(mount, parent));
  const tree = new CgroupTreeV2(mount, parent, systemClock);
  const cgroup = await tree.create('one');
  const spawner = new Spawner(hostArchitecture(), false);
  const launcher = spawner.spawn();
  try {
    await check(makeDisk(t).disk, launcher, cgroup, parent);
  } finally {
    await cgroup.kill();
    launcher.end();
    await launcher.gone;
    await spawner.close();
    await pollUntil(systemClock, 'remove the cgroup', 5_000, () =>
      cgroup.remove().then(
        () => true,
        () => false,
      ),
    );
    await tree.remove();
    execFileSync('umount', [mount]);
    rmdirSync(mount);
  }
});

async function check(
  disk: string,
  launcher: Launcher,
  cgroup: Cgroup,
  parent: string,
): Promise<void> {
  const script = 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done';
  const spec = makeSpec(disk, { argv: ['sh', '-c', script] });
  await launcher.booted;
  const records: LaunchRecord[] = [];
  const { firstUid } = limits.sandbox;
  const program = composeStart(spec, {
    architecture: hostArchitecture(),
    join: cgroup.join,
    cgroups: cgroup.views,
    launcherId: launcher.launcherId,
    privileges: { uid: firstUid, gid: firstUid, lastCapability: readLastCapability() },
    proc: procViewOf(readHostProc(), spec.shape),
    directIo: true,
    tmp: { kind: 'memory', bytes: MIB },
  });
  launcher.run(program, {
    onRecord: (record) => records.push(record),
    onServer: (server) => server.close(),
    onConnection: (_, socket) => socket.destroy(),
    onSpawnerLost: () => {},
    onGone: () => {},
  });
  let seen = 0;
  launcher.output.stdout.on('data', () => seen++);
  const advances = async (from: number) => {
    await pollUntil(
      systemClock,
      `more output ${JSON.stringify(records)}`,
      5_000,
      async () => seen > from,
    );
  };
  await advances(0);
  const pids = await cgroup.processes();
  assert.ok(pids.length >= 2, `${pids}`);
  // Some of them run for a moment only, and may be gone by now.
  const places = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => parent)),
  );
  assert.ok(places.every((place) => place.includes(parent)));
  await cgroup.freeze();
  await sleep(30);
  const frozenAt = seen;
  await sleep(100);
  assert.equal(seen, frozenAt);
  await cgroup.thaw();
  await advances(frozenAt);
  await cgroup.freeze();
  await cgroup.kill();
  await launcher.gone;
  assert.deepEqual(await cgroup.processes(), []);
  assert.deepEqual(
    records.map((record) => record.kind),
    ['init', 'loop', 'started'],
  );
  await pollUntil(systemClock, 'loop device', 5_000, async () => loopDevicesOf(disk).length === 0);
}
