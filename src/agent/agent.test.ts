import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { hostHas } from '../../test/support/host.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { type SealedDisk, sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import { CHUNK_SIZE_BYTES, MIB, noLogger, systemClock, systemRandom } from '../base/mod.ts';
import {
  AgentPool,
  type Device,
  mountDevice,
  openDeviceOnFile,
  unmountDevice,
} from '../device/mod.ts';
import { directoryOrigin } from '../origin/mod.ts';
import { sealKeyFor } from '../seal/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { spawnAgent, spawnHostAgent } from './spawn-agent.ts';

// Runs alone: a mount namespace that another test makes meanwhile would keep its mounts.
const execute = promisify(execFile);

interface Rig {
  readonly agents: AgentPool<AgentSettings>;
  readonly directory: string;
  readonly settings: AgentSettings;
  seal(disk: Buffer, accountId?: string): Promise<SealedDisk>;
  show(sealed: SealedDisk, options?: { writable?: boolean }): Promise<Device>;
}

function rig(t: TestContext, overlayLimitBytes = 16 * MIB): Rig {
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
function someDisk(sizeBytes: number): Buffer {
  const disk = randomBytes(sizeBytes);
  disk.fill(0, 1 * MIB, 2 * MIB);
  disk.fill(0, 3 * MIB + 5000, 3 * MIB + 50_000);
  return disk;
}

/** What the host has mounted below a directory. */
function mountsBelow(directory: string): string[] {
  const table = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return table.filter((line) => line.includes(` ${directory}/`));
}

test('a device shows the bytes of its disk, and does not appear in the host’s mounts', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show, directory } = rig(t);
  const disk = someDisk(8 * MIB);
  const sealed = await seal(disk);
  const device = await show(sealed);
  assert.ok(disk.equals(await readFile(device.path)));
  assert.deepEqual(mountsBelow(directory), []);
  const stats = await device.stats();
  assert.equal(stats.chunksFetched, 14);
  assert.equal(stats.tiers.origin.reads > 0, true);
  await device.close();
  await assert.rejects(readFile(device.path), { code: 'ENOENT' });
  const again = await show(sealed);
  assert.ok(disk.equals(await readFile(again.path)), 'from memory that another device filled');
  assert.equal((await again.stats()).chunksFetched, 0);
});

test('an agent has no rights, and sees neither keys nor the host', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show, directory } = rig(t);
  const [one, two] = [
    await show(await seal(someDisk(4 * MIB))),
    await show({ ...(await seal(someDisk(4 * MIB))), accountId: '111111111111' }),
  ];
  const pids = [one, two].map((device) => /^\/proc\/(\d+)\//.exec(device.path)?.[1]);
  const [status, other] = pids.map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
  assert.match(status ?? '', /^CapEff:\t0{16}$/m);
  assert.match(status ?? '', /^NoNewPrivs:\t1$/m);
  assert.match(status ?? '', /^Seccomp:\t2$/m);
  const uidOf = (text = '') => /^Uid:\t(\d+)/m.exec(text)?.[1];
  assert.notEqual(uidOf(status), '0');
  assert.notEqual(uidOf(status), uidOf(other), 'each account has an uid of its own');
  assert.ok(existsSync(join(directory, 'keys')));
  assert.equal(existsSync(`/proc/${pids[0]}/root${directory}/keys`), false);
  const own = readdirSync(`/proc/${pids[0]}/root${directory}/agents`);
  assert.equal(own.length, 1, 'no other agent’s directory is there');
  assert.deepEqual(readdirSync(`/proc/${pids[0]}/root`).includes('etc'), false);
  const mounts = readFileSync(`/proc/${pids[0]}/mountinfo`, 'utf8');
  assert.doesNotMatch(mounts, / (shared|master):/, 'it holds no mount that the host may unmount');
});

test('a refusal comes from the agent’s process with the facts of its error', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const sealed = await seal(someDisk(4 * MIB));
  const { manifestId, accountId } = sealed;
  const sealKey = async (recipient: Uint8Array) =>
    sealKeyFor(recipient, randomBytes(32), { accountId, manifestId }, systemRandom);
  await assert.rejects(show({ ...sealed, sealKey }), {
    code: 'MANIFEST_TAMPERED',
    data: { manifestId },
  });
});

test('an agent serves one account, whatever it is asked for', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const mine = await seal(someDisk(4 * MIB), '111111111111');
  const theirs = await seal(someDisk(4 * MIB), '222222222222');
  const first = await show(mine);
  const asMine = { ...theirs, accountId: mine.accountId };
  await assert.rejects(show(asMine), { code: 'ACCESS_DENIED' });
  await first.close();
  await assert.rejects(show(asMine), { code: 'ACCESS_DENIED' });
  await (await show(theirs)).close();
});

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

test('what is written is read back, and base pages around it stay', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const disk = someDisk(4 * MIB);
  const device = await show(await seal(disk), { writable: true });
  const file = await open(device.path, 'r+');
  t.after(() => file.close());
  const written = randomBytes(3 * CHUNK_SIZE_BYTES + 777);
  await file.write(written, 0, written.length, 300_001);
  written.copy(disk, 300_001);
  assert.ok(disk.equals(await readFile(device.path)));
  await assert.rejects(file.truncate(100), { code: 'EPERM' });
  await assert.rejects(file.write(Buffer.alloc(10), 0, 10, disk.length), { code: 'EFBIG' });
});

test('a read-only device refuses to be opened for writing', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const device = await show(await seal(someDisk(4 * MIB)));
  await assert.rejects(open(device.path, 'r+'), { code: 'EROFS' });
});

test('a full overlay is ENOSPC inside, and discarding makes room again', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'tool:fallocate')) return;
  const { seal, show } = rig(t, 1 * MIB);
  const disk = someDisk(8 * MIB);
  const device = await show(await seal(disk), { writable: true });
  const file = await open(device.path, 'r+');
  t.after(() => file.close());
  const half = randomBytes(MIB / 2);
  await file.write(half, 0, half.length, 0);
  await file.write(half, 0, half.length, MIB / 2);
  await assert.rejects(file.write(half, 0, half.length, 4 * MIB), { code: 'ENOSPC' });
  await execute('fallocate', ['-p', '-o', '0', '-l', `${MIB / 2}`, device.path]);
  await file.write(half, 0, half.length, 4 * MIB);
  disk.fill(0, 0, MIB / 2);
  half.copy(disk, MIB / 2);
  half.copy(disk, 4 * MIB);
  assert.ok(disk.equals(await readFile(device.path)));
  const stats = await device.stats();
  assert.equal(stats.overlayBytes, MIB);
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

test('fio reads back what it wrote at random, many requests in flight', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'tool:fio')) return;
  const { seal, show } = rig(t, 32 * MIB);
  const device = await show(await seal(someDisk(16 * MIB)), { writable: true });
  const shape = ['--rw=randwrite', '--bsrange=512-64k', '--blockalign=512', '--size=8m'];
  const check = ['--verify=crc32c', '--do_verify=1', '--verify_fatal=1', '--verify_state_save=0'];
  await execute('fio', [
    ...['--name=device', `--filename=${device.path}`, '--allow_file_create=0', '--thread'],
    ...['--ioengine=libaio', '--iodepth=8', '--direct=1', '--output-format=terse'],
    ...shape,
    ...check,
  ]);
  const { writes } = await device.stats();
  assert.ok(writes > 100, `${writes} writes went past the page cache`);
});

const agentOf = (device: Device) => Number(/\/proc\/(\d+)\//.exec(device.path)?.[1]);

/** Every loop device's backing file. */
function loopBackings(): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .map((name) => `/sys/block/${name}/loop/backing_file`)
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8').trim());
}

test('a killed agent: reads fail with EIO, nothing hangs, nothing stays mounted', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show, directory } = rig(t);
  const sealed = await seal(someDisk(8 * MIB));
  const device = await show(sealed);
  const file = await open(device.path, 'r');
  t.after(() => file.close());
  await file.read(Buffer.alloc(4096), 0, 4096, 0);
  const pid = agentOf(device);
  const died = once(device.died, 'abort');
  process.kill(pid, 'SIGKILL');
  await died;
  assert.equal(device.died.reason.code, 'AGENT_DIED');
  const { bytesRead } = await file
    .read(Buffer.alloc(MIB), 0, MIB, 4 * MIB)
    .catch((error: NodeJS.ErrnoException) => {
      assert.ok(error.code === 'EIO' || error.code === 'ENOTCONN', error.code);
      return { bytesRead: -1 };
    });
  assert.equal(bytesRead, -1);
  await assert.rejects(device.stats(), { code: 'AGENT_DIED' });
  assert.equal(await device.close(), undefined);
  assert.deepEqual(mountsBelow(directory), []);
  assert.deepEqual(
    loopBackings().filter((path) => path.includes(device.deviceId)),
    [],
  );
  const again = await show(sealed);
  assert.ok((await readFile(again.path)).length === 8 * MIB, 'another agent takes over');
});

test('draining: new devices get a new agent, the old one ends with its last device', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show, agents } = rig(t);
  const disk = someDisk(4 * MIB);
  const sealed = await seal(disk);
  const old = await show(sealed);
  const pid = agentOf(old);
  agents.drain();
  const fresh = await show(sealed);
  assert.notEqual(agentOf(fresh), pid);
  assert.ok(disk.equals(await readFile(old.path)), 'the old one still serves');
  await old.close();
  await until('the old agent ends', () => !isAlive(pid));
  assert.ok(disk.equals(await readFile(fresh.path)));
});

test('a killed worker takes its agents with it', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { directory } = rig(t);
  const script = `
    import { AgentPool } from ${JSON.stringify(import.meta.resolve('../device/mod.ts'))};
    import { noLogger, systemClock, systemRandom } from ${JSON.stringify(import.meta.resolve('../base/mod.ts'))};
    import { spawnAgent } from ${JSON.stringify(import.meta.resolve('./spawn-agent.ts'))};
    const agents = new AgentPool({
      spawn: async (place) => {
        const child = await spawnAgent(place);
        console.log(child.pid);
        return child;
      },
      directory: ${JSON.stringify(join(directory, 'other'))},
      settings: { origin: { kind: 'directory', directory: '/nonexistent' }, memoryBytes: 1 << 24 },
      spareAgents: 2,
      clock: systemClock,
      random: systemRandom,
      logger: noLogger,
    });
    await agents.warm();
    console.log('warm');
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const text of parent.stdout.setEncoding('utf8')) {
    said += text;
    if (said.includes('warm')) break;
  }
  const pids = said.match(/\d+/g)?.map(Number) ?? [];
  assert.equal(pids.length, 2);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await until('the agents end', () => !pids.some(isAlive));
  assert.deepEqual(mountsBelow(directory), []);
});

function isAlive(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? 'Z';
    return !state.startsWith('Z');
  } catch {
    return false;
  }
}

test('any mix of reads, writes and discards behaves as on a plain file', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'tool:fallocate')) return;
  const { seal, show } = rig(t, 64 * MIB);
  const size = 6 * MIB;
  const sealed = await seal(someDisk(size));
  const range = fc.record({
    at: fc.oneof(
      fc.nat(size - 1),
      fc.nat(size / 4096 - 1).map((page) => page * 4096),
    ),
    bytes: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constantFrom(4096, 65_536, MIB)),
  });
  const step = fc.record({ kind: fc.constantFrom('read', 'write', 'discard'), range });
  const run = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
    const device = await show(sealed, { writable: true });
    const model = Buffer.from(await readFile(device.path));
    const file = await open(device.path, 'r+');
    try {
      for (const { kind, range } of steps) {
        const bytes = Math.min(range.bytes, size - range.at);
        if (kind === 'write') {
          const data = randomBytes(bytes);
          await file.write(data, 0, bytes, range.at);
          data.copy(model, range.at);
        } else if (kind === 'discard') {
          await execute('fallocate', ['-p', '-o', `${range.at}`, '-l', `${bytes}`, device.path]);
          model.fill(0, range.at, range.at + bytes);
        } else {
          const data = Buffer.alloc(bytes);
          await file.read(data, 0, bytes, range.at);
          assert.ok(data.equals(model.subarray(range.at, range.at + bytes)));
        }
      }
      // Past the kernel's page cache: what the device itself says.
      const { stdout } = await execute(
        'dd',
        [`if=${device.path}`, 'bs=1M', 'iflag=direct', 'status=none'],
        { encoding: 'buffer', maxBuffer: 2 * size },
      );
      assert.ok(model.equals(stdout));
    } finally {
      await file.close();
      await device.close();
    }
  });
  await fc.assert(run, { numRuns: propertyRuns(8) });
});
