import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { isSluiceError, MIB, noLogger, systemClock } from '../../base/mod.ts';
import { cpuQuotaUs, cpuShares, cpuWeight } from './files.ts';
import { CgroupPool } from './pool.ts';
import { probeCgroups } from './probe.ts';
import type { CgroupTree } from './types.ts';

const clock = systemClock;
const CONTROLLERS = ['memory', 'cpu,cpuacct', 'pids', 'freezer'];

const V1_PARENT_FILES = { pids: 'pids.max', memory: 'memory.limit_in_bytes' } as const;
const V2_PARENT_FILES = { 'cgroup.subtree_control': '', 'pids.max': '', 'memory.max': '' };

/** A directory that looks like a host's cgroups, with the mount table that says so. */
function fakeHost(t: TestContext, kind: 'v1' | 'v2' | 'hybrid' | 'v2 without controllers') {
  const directory = temporaryDirectory(t, 'cgroup');
  const mounts = ['proc /proc proc rw 0 0', `tmpfs ${directory} tmpfs rw 0 0`];
  if (kind === 'v1' || kind === 'hybrid') {
    for (const controller of CONTROLLERS) {
      mkdirSync(join(directory, controller));
      mounts.push(`cgroup ${directory}/${controller} cgroup rw,relatime,${controller} 0 0`);
    }
  }
  if (kind !== 'v1') {
    const unified = join(directory, 'uni fied');
    mkdirSync(unified);
    const controllers = kind === 'v2' ? 'cpuset cpu io memory pids' : '';
    writeFileSync(join(unified, 'cgroup.controllers'), `${controllers}\n`);
    writeFileSync(join(unified, 'cgroup.subtree_control'), '\n');
    mounts.push(`cgroup2 ${directory}/uni\\040fied cgroup2 rw 0 0`);
  }
  const mountsFile = join(directory, 'mounts');
  writeFileSync(mountsFile, `${mounts.join('\n')}\n`);
  return { directory, options: { ownerId: 'owner', clock, mountsFile } };
}

function fill(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content);
}

const read = (...path: string[]) => readFileSync(join(...path), 'utf8').trim();

describe('which cgroups a host has', () => {
  for (const [kind, version] of [
    ['v1', 1],
    ['hybrid', 1],
    ['v2', 2],
  ] as const) {
    test(`${kind}: version ${version}`, async (t) => {
      const { options } = fakeHost(t, kind);
      assert.equal((await probeCgroups(options)).version, version);
    });
  }

  test('when none is usable, the error says what is missing', async (t) => {
    const { options } = fakeHost(t, 'v2 without controllers');
    await assert.rejects(probeCgroups(options), (error) => isSluiceError(error, 'HOST_LACKS'));
  });

  test('an owner id that would leave the parent directory is refused', async (t) => {
    const { options } = fakeHost(t, 'v2');
    for (const ownerId of ['', '..', 'a/b', 'A', 'x'.repeat(65)]) {
      await assert.rejects(probeCgroups({ ...options, ownerId }), (error) =>
        isSluiceError(error, 'USAGE'),
      );
    }
  });
});

test('a quota is a share of its period, and never less than the kernel takes', () => {
  assert.equal(cpuQuotaUs(1000), 20_000);
  assert.equal(cpuQuotaUs(2500), 50_000);
  assert.equal(cpuQuotaUs(100), 2_000);
  assert.equal(cpuQuotaUs(1), 1_000);
});

test('a weight is a share of what a process weighs, within what the kernel takes', () => {
  assert.deepEqual([1000, 500, 1, 1e9].map(cpuShares), [1024, 512, 2, 262_144]);
  assert.deepEqual([1000, 500, 1, 1e9].map(cpuWeight), [100, 50, 1, 10_000]);
});

describe('version 1', () => {
  async function make(t: TestContext) {
    const { directory, options } = fakeHost(t, 'v1');
    for (const [controller, file] of Object.entries(V1_PARENT_FILES)) {
      mkdirSync(join(directory, controller, 'sluice-owner'));
      fill(join(directory, controller, 'sluice-owner'), { [file]: '' });
    }
    const tree = await probeCgroups(options);
    await tree.prepare({ processes: 700, memoryBytes: 7 * MIB });
    const cgroup = await tree.create('one');
    const path = (controller: string) => join(directory, controller, 'sluice-owner', 'one');
    fill(path('memory'), {
      'memory.limit_in_bytes': '',
      'memory.memsw.limit_in_bytes': '',
      'memory.max_usage_in_bytes': '900',
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 4\n',
      'memory.stat': 'cache 300\nrss 400\nshmem 100\n',
    });
    fill(path('cpu,cpuacct'), {
      'cpu.cfs_quota_us': '',
      'cpu.cfs_period_us': '',
      'cpu.shares': '',
    });
    fill(path('pids'), { 'pids.max': '' });
    fill(path('freezer'), { 'freezer.state': '' });
    return { directory, tree, cgroup, path };
  }

  test('all sandboxes together are limited by their parent', async (t) => {
    const { directory } = await make(t);
    const parent = (controller: keyof typeof V1_PARENT_FILES) =>
      read(directory, controller, 'sluice-owner', V1_PARENT_FILES[controller]);
    assert.deepEqual([parent('pids'), parent('memory')], ['700', `${7 * MIB}`]);
  });

  test('a sandbox joins each hierarchy once, by the write that takes no global lock', async (t) => {
    const { cgroup, path } = await make(t);
    assert.ok(cgroup.join.kind === 'write');
    const files = CONTROLLERS.map((controller) => join(path(controller), 'tasks'));
    assert.deepEqual([...cgroup.join.files].sort(), files.sort());
    assert.equal(cgroup.join.freezerState, join(path('freezer'), 'freezer.state'));
  });

  test('writes limits where the controllers read them', async (t) => {
    const { cgroup, path } = await make(t);
    cgroup.limit({ memoryBytes: 128 * MIB, processes: 65 });
    assert.equal(read(path('memory'), 'memory.limit_in_bytes'), `${128 * MIB}`);
    assert.equal(read(path('memory'), 'memory.memsw.limit_in_bytes'), `${128 * MIB}`);
    assert.equal(read(path('pids'), 'pids.max'), '65');
    assert.equal(read(path('cpu,cpuacct'), 'cpu.cfs_quota_us'), '-1');
    cgroup.limitCpu(500);
    assert.equal(read(path('cpu,cpuacct'), 'cpu.cfs_quota_us'), '10000');
    assert.equal(read(path('cpu,cpuacct'), 'cpu.cfs_period_us'), '20000');
    assert.equal(read(path('cpu,cpuacct'), 'cpu.shares'), '512');
  });

  test('counts only the kills of this sandbox, and leaves file cache out of the peak', async (t) => {
    const { cgroup, path } = await make(t);
    cgroup.limit({ memoryBytes: MIB, processes: 1 });
    assert.equal(await cgroup.oomKills(), 0);
    fill(path('memory'), {
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 6\n',
      'memory.max_usage_in_bytes': '900\n',
    });
    assert.equal(await cgroup.oomKills(), 2);
    assert.equal(await cgroup.peakMemoryBytes(), 900 - (300 - 100));
  });

  test('freezes, and thaws', async (t) => {
    const { cgroup, path } = await make(t);
    await cgroup.freeze();
    assert.equal(read(path('freezer'), 'freezer.state'), 'FROZEN');
    await cgroup.thaw();
    assert.equal(read(path('freezer'), 'freezer.state'), 'THAWED');
  });

  test('a value that the kernel refuses names the file', async (t) => {
    const { cgroup, path } = await make(t);
    writeFileSync(join(path('pids'), 'pids.max'), '');
    const directory = path('pids');
    const missing = join(directory, 'pids.max');
    rmSync(missing);
    assert.throws(
      () => cgroup.limit({ memoryBytes: MIB, processes: 1 }),
      (error) => isSluiceError(error, 'SANDBOX_START_FAILED') && error.message.includes(missing),
    );
  });
});

describe('version 2', () => {
  async function make(t: TestContext) {
    const { directory, options } = fakeHost(t, 'v2');
    const parent = join(directory, 'uni fied', 'sluice-owner');
    mkdirSync(parent);
    fill(parent, V2_PARENT_FILES);
    const tree = await probeCgroups(options);
    await tree.prepare({ processes: 700, memoryBytes: 7 * MIB });
    const cgroup = await tree.create('one');
    const path = join(parent, 'one');
    fill(path, {
      'memory.max': '',
      'memory.swap.max': '',
      'memory.events': 'low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n',
      'memory.stat': 'anon 500\nfile 300\nkernel 10\nshmem 100\n',
      'memory.current': '650\n',
      'cpu.max': '',
      'cpu.weight': '',
      'pids.max': '',
      'cgroup.freeze': '0',
      'cgroup.kill': '',
      'cgroup.events': 'populated 1\nfrozen 1\n',
      'cgroup.procs': '',
    });
    return { directory, tree, cgroup, path, parent };
  }

  test('hands the controllers on, from the root to the parent', async (t) => {
    const { directory, parent } = await make(t);
    const control = '+memory +cpu +pids';
    assert.equal(read(directory, 'uni fied', 'cgroup.subtree_control'), control);
    assert.equal(read(parent, 'cgroup.subtree_control'), control);
    assert.equal(read(parent, 'pids.max'), '700');
    assert.equal(read(parent, 'memory.max'), `${7 * MIB}`);
  });

  test('a sandbox starts in its cgroup', async (t) => {
    const { cgroup, path } = await make(t);
    assert.deepEqual(cgroup.join, { kind: 'clone', directory: path });
  });

  test('writes limits, without swap', async (t) => {
    const { cgroup, path } = await make(t);
    cgroup.limit({ memoryBytes: 128 * MIB, processes: 65 });
    assert.equal(read(path, 'memory.max'), `${128 * MIB}`);
    assert.equal(read(path, 'memory.swap.max'), '0');
    assert.equal(read(path, 'pids.max'), '65');
    assert.equal(read(path, 'cpu.max'), 'max 20000');
    cgroup.limitCpu(1769);
    assert.equal(read(path, 'cpu.max'), '35380 20000');
    assert.equal(read(path, 'cpu.weight'), '177');
  });

  test('counts kills since the start, and the peak or the nearest value that exists', async (t) => {
    const { cgroup, path } = await make(t);
    cgroup.limit({ memoryBytes: MIB, processes: 1 });
    fill(path, { 'memory.events': 'oom 3\noom_kill 2\noom_group_kill 0\n' });
    assert.equal(await cgroup.oomKills(), 1);
    assert.equal(await cgroup.peakMemoryBytes(), 650 - 200);
    fill(path, { 'memory.peak': '800\n' });
    assert.equal(await cgroup.peakMemoryBytes(), 800 - 200);
  });

  test('freezes, thaws and kills by the files of version 2', async (t) => {
    const { cgroup, path } = await make(t);
    await cgroup.freeze();
    assert.equal(read(path, 'cgroup.freeze'), '1');
    await cgroup.thaw();
    assert.equal(read(path, 'cgroup.freeze'), '0');
    await cgroup.kill();
    assert.equal(read(path, 'cgroup.kill'), '1');
  });
});

describe('the pool', () => {
  const names = (directory: string) => {
    const parent = join(directory, 'uni fied', 'sluice-owner');
    return readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  };

  async function open(t: TestContext, ready: number) {
    const { directory, options } = fakeHost(t, 'v2');
    const parent = join(directory, 'uni fied', 'sluice-owner');
    mkdirSync(parent);
    fill(parent, V2_PARENT_FILES);
    const pool = await CgroupPool.open({ ...options, logger: noLogger, ready });
    return { directory, parent, pool };
  }

  test('keeps some ready, lends each once, and removes those of version 2', async (t) => {
    const { directory, pool } = await open(t, 3);
    const taken = [await pool.acquire(), await pool.acquire()];
    assert.notEqual(taken[0]?.name, taken[1]?.name);
    while (names(directory).length < 5) await clock.sleep(1);
    for (const cgroup of taken) await pool.release(cgroup);
    assert.equal(names(directory).length, 3);
  });

  test('sweeps what others left behind, but not what it has lent', async (t) => {
    const { directory, parent, pool } = await open(t, 0);
    mkdirSync(join(parent, 'of-an-earlier-life'));
    const mine = await pool.acquire();
    assert.deepEqual(await pool.sweep(), { processes: 0, cgroups: 1 });
    assert.deepEqual(
      names(directory).map((entry) => entry.name),
      [mine.name],
    );
    assert.deepEqual(await pool.sweep(), { processes: 0, cgroups: 0 });
  });

  test('lends nothing once closed', async (t) => {
    const { pool, parent } = await open(t, 1);
    await pool.release(await pool.acquire());
    for (const file of Object.keys(V2_PARENT_FILES)) rmSync(join(parent, file));
    await pool.close();
    assert.throws(() => readdirSync(parent), { code: 'ENOENT' });
    await assert.rejects(pool.acquire(), { code: 'CANCELLED' });
  });

  test('one that comes back while it closes leaves no parent behind', async (t) => {
    const { pool, parent } = await open(t, 0);
    const lent = await pool.acquire();
    for (const file of Object.keys(V2_PARENT_FILES)) rmSync(join(parent, file));
    const closed = pool.close();
    await clock.sleep(20);
    await pool.release(lent);
    await closed;
    assert.throws(() => readdirSync(parent), { code: 'ENOENT' });
  });

  test('one that is made while it closes is nobody’s, and does not stay', async (t) => {
    const { pool, parent } = await open(t, 0);
    await pool.release(await pool.acquire());
    for (const file of Object.keys(V2_PARENT_FILES)) rmSync(join(parent, file));
    const late = pool.acquire();
    const closed = pool.close();
    await assert.rejects(late, { code: 'CANCELLED' });
    await closed;
    assert.throws(() => readdirSync(parent), { code: 'ENOENT' });
  });
});

test('the tree type says whether a cgroup may be reused', async (t) => {
  const trees: CgroupTree[] = [];
  for (const kind of ['v1', 'v2'] as const) {
    trees.push(await probeCgroups(fakeHost(t, kind).options));
  }
  assert.deepEqual(
    trees.map((tree) => tree.reusable),
    [true, false],
  );
});
