import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hostHas } from '../../test/support/host.ts';
import { MIB, systemClock } from '../base/mod.ts';
import { mountDevice, openDeviceOnFile, unmountDevice } from '../device/mod.ts';
import { mountsBelow, rig, someDisk } from './agent.fixture.ts';
import { spawnHostAgent } from './spawn-agent.ts';

// Runs alone: a mount namespace that another test makes meanwhile would keep its mounts.
const execute = promisify(execFile);

test('a device on a file of the host: written to, then unmounted without a trace', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, directory, settings } = rig(t);
  const disk = someDisk(4 * MIB);
  const file = join(directory, 'device.img');
  await writeFile(file, '');
  const request = { ...(await seal(disk)), deviceId: 'alone', writable: true };
  const device = await openDeviceOnFile(request, {
    spawn: spawnHostAgent,
    directory: join(directory, 'alone'),
    settings,
    file,
    clock: systemClock,
  });
  try {
    assert.equal(mountsBelow(directory).length, 1);
    await writeFile(file, 'written', { flag: 'r+' });
    disk.write('written');
    assert.ok(disk.equals(await readFile(file)));
  } finally {
    await device.close();
  }
  assert.deepEqual(mountsBelow(directory), []);
  assert.equal((await readFile(file)).length, 0);
});

test('an ext4 of mke2fs mounts from the device, takes writes, and is clean after', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'tool:mke2fs', 'tool:e2fsck')) return;
  const { seal, show, directory } = rig(t, 64 * MIB);
  const tree = join(directory, 'tree');
  await mkdir(tree);
  const content = randomBytes(5 * MIB);
  await writeFile(join(tree, 'large'), content);
  const source = fileURLToPath(new URL('..', import.meta.url));
  const image = join(directory, 'disk.ext4');
  await writeFile(image, '');
  await truncate(image, 32 * MIB);
  await execute('mke2fs', ['-q', '-t', 'ext4', '-d', tree, image]);
  const device = await show(await seal(await readFile(image)), { writable: true });
  const mountPoint = join(directory, 'mount');
  await mkdir(mountPoint);
  await mountDevice(device.path, mountPoint, { readOnly: false });
  try {
    assert.ok(content.equals(await readFile(join(mountPoint, 'large'))));
    await writeFile(join(mountPoint, 'added'), content.subarray(0, 3 * MIB));
    await rm(join(mountPoint, 'large'));
    await execute('cp', ['-a', source, join(mountPoint, 'source')]);
    await execute('diff', ['-r', source, join(mountPoint, 'source')]);
    await rm(join(mountPoint, 'source', 'base'), { recursive: true });
    await execute('fstrim', [mountPoint]);
  } finally {
    await unmountDevice(mountPoint);
  }
  await execute('e2fsck', ['-f', '-n', device.path]);
  await mountDevice(device.path, mountPoint, { readOnly: true });
  try {
    const added = await readFile(join(mountPoint, 'added'));
    assert.ok(content.subarray(0, 3 * MIB).equals(added));
    assert.equal(existsSync(join(mountPoint, 'large')), false);
  } finally {
    await unmountDevice(mountPoint);
  }
});
