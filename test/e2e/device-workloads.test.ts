import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AgentSettings } from '../../src/agent/agent-settings.ts';
import { spawnAgent } from '../../src/agent/spawn-agent.ts';
import { MIB, noLogger, systemClock, systemRandom } from '../../src/base/mod.ts';
import { AgentPool, mountDevice, unmountDevice } from '../../src/device/mod.ts';
import { directoryOrigin } from '../../src/origin/mod.ts';
import { hostHas } from '../support/host.ts';
import { run, runOrThrow } from '../support/run.ts';
import { sealDisk } from '../support/sealed-disk.ts';
import { temporaryDirectory } from '../support/temporary.ts';

// Runs alone: a mount namespace that another test makes meanwhile would keep its mounts.

/** An empty ext4 on a writable device, mounted; `remount` shows what the device kept, checked. */
async function mountedDevice(t: TestContext, overlayLimitBytes: number) {
  let close = async () => {};
  // Before the directory's own clean-up, which comes in the order in which they are asked for.
  t.after(() => close());
  const directory = temporaryDirectory(t, 'device-work');
  const image = join(directory, 'disk.ext4');
  writeFileSync(image, '');
  truncateSync(image, 192 * MIB);
  await runOrThrow('mke2fs', ['-q', '-t', 'ext4', image]);
  const place = { kind: 'directory', directory: join(directory, 'origin') } as const;
  const origin = directoryOrigin(place.directory, { clock: systemClock, random: systemRandom });
  const sealed = await sealDisk(image, origin, join(directory, 'keys'));
  const agents = new AgentPool<AgentSettings>({
    spawn: (place) => spawnAgent(place),
    directory: join(directory, 'agents'),
    settings: { origin: place, memoryBytes: 64 * MIB },
    spareAgents: 0,
    clock: systemClock,
    random: systemRandom,
    logger: noLogger,
  });
  const root = join(directory, 'root');
  mkdirSync(root);
  close = async () => {
    await run('umount', [root]);
    await agents.close();
  };
  const request = { ...sealed, deviceId: 'work', writable: true, overlayLimitBytes };
  const device = await agents.open(request);
  await mountDevice(device.path, root, { readOnly: false });
  const remount = async () => {
    await unmountDevice(root);
    await runOrThrow('e2fsck', ['-f', '-n', device.path]);
    await mountDevice(device.path, root, { readOnly: true });
  };
  return { root, device, directory, remount };
}

/** Writes, cuts, punches and maps a file at random beside a model, as fsx does. */
const exerciser = `
import mmap, os, random, sys
path, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
limit = 4 << 20
model = bytearray()
fd = os.open(path, os.O_RDWR | os.O_CREAT)
for step in range(steps):
    kind = random.choice(["write", "write", "read", "cut", "map", "sync", "drop"])
    at = random.randint(0, limit - 1)
    length = min(random.choice([1, 4096, random.randint(1, 200000)]), limit - at)
    where = f"seed {seed} step {step}: {kind} {length} at {at}"
    if kind == "write":
        data = random.randbytes(length)
        os.pwrite(fd, data, at)
        model.extend(bytes(max(0, at + length - len(model))))
        model[at:at + length] = data
    elif kind == "read":
        assert os.pread(fd, length, at) == model[at:at + length], where
    elif kind == "cut":
        os.ftruncate(fd, at)
        model[at:] = bytes(max(0, at - len(model)))
    elif kind == "map" and len(model) > 0:
        with mmap.mmap(fd, len(model)) as mapped:
            at %= len(model)
            data = random.randbytes(min(length, len(model) - at))
            mapped[at:at + len(data)] = data
            model[at:at + len(data)] = data
    elif kind == "sync":
        os.fsync(fd)
    elif kind == "drop":
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
assert os.pread(fd, limit, 0) == model, f"seed {seed}: in the end"
os.fsync(fd)
`;

test('dd, git, dpkg and a random exerciser work on a device, and e2fsck finds it clean', async (t) => {
  const tools = ['dd', 'git', 'dpkg', 'dpkg-deb', 'python3', 'mke2fs', 'e2fsck', 'cmp', 'diff'];
  if (!hostHas(t, 'root', 'fuse', 'loop', ...tools.map((name) => `tool:${name}` as const))) return;
  const { root, directory, remount } = await mountedDevice(t, 192 * MIB);
  const random = join(directory, 'random');
  await runOrThrow('dd', ['if=/dev/urandom', `of=${random}`, 'bs=1M', 'count=12', 'status=none']);
  const dd = runOrThrow('dd', [`if=${random}`, `of=${root}/copy`, 'bs=4k', 'conv=fsync']);
  const seed = `${randomInt(2 ** 31)}`;
  const exercise = runOrThrow('python3', ['-c', exerciser, join(root, 'exercise'), seed, '300']);

  const repository = join(directory, 'repository');
  const git = (...args: string[]) =>
    runOrThrow('git', ['-c', 'user.name=n', '-c', 'user.email=e', '-C', repository, ...args]);
  const sources = join(import.meta.dirname, '../../src');
  mkdirSync(repository);
  await git('init', '-q');
  await runOrThrow('cp', ['-a', sources, repository]);
  await git('add', '.');
  await git('commit', '-q', '-m', 'all');
  const clone = join(root, 'clone');
  await runOrThrow('git', ['clone', '-q', '--no-hardlinks', repository, clone]);

  const tree = join(directory, 'package');
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  await runOrThrow('cp', ['-a', sources, join(tree, 'usr')]);
  const control = 'Package: judge\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: d\n';
  writeFileSync(join(tree, 'DEBIAN/control'), control);
  await runOrThrow('dpkg-deb', ['-b', tree, join(directory, 'judge.deb')]);
  const installed = join(root, 'installed');
  mkdirSync(join(installed, 'var/lib/dpkg/updates'), { recursive: true });
  mkdirSync(join(installed, 'var/lib/dpkg/info'));
  writeFileSync(join(installed, 'var/lib/dpkg/status'), '');
  const dpkg = ['--root', installed, '--force-not-root', '--log', '/dev/null'];
  await runOrThrow('dpkg', [...dpkg, '-i', join(directory, 'judge.deb')]);
  await Promise.all([dd, exercise]);

  await remount();
  await runOrThrow('cmp', [random, join(root, 'copy')]);
  await runOrThrow('git', ['-c', 'safe.directory=*', '-C', clone, 'fsck', '--strict']);
  await runOrThrow('diff', ['-r', sources, join(clone, 'src')]);
  await runOrThrow('diff', ['-r', sources, join(installed, 'usr')]);
});

test('a device that is full says so inside, loses nothing written, and harms nothing else', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'tool:mke2fs', 'tool:e2fsck', 'tool:dd')) return;
  const { root, device } = await mountedDevice(t, 24 * MIB);
  const kept = join(root, 'kept');
  await runOrThrow('dd', ['if=/dev/urandom', `of=${kept}`, 'bs=1M', 'count=8', 'conv=fsync']);
  const before = readFileSync(kept);
  const flood = ['if=/dev/zero', `of=${root}/flood`, 'bs=1M', 'count=64', 'conv=fsync'];
  const full = await run('dd', flood);
  assert.notEqual(full.status, 0);
  assert.match(full.stderr, /No space left on device/);
  await runOrThrow('dd', [`if=${kept}`, 'of=/dev/null', 'bs=1M', 'iflag=direct']);
  assert.ok(before.equals(readFileSync(kept)));
  const { overlayBytes } = await device.stats();
  assert.ok(overlayBytes <= 24 * MIB, `${overlayBytes} bytes`);
});
