import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { isSluiceError, MIB } from '../../base/mod.ts';
import type { Helper } from '../jail/types.ts';
import type { SandboxSpec } from '../spec.ts';
import { type AdmissionRules, admitHelper, admitSandbox, realPath } from './admit.ts';

function setUp(t: TestContext) {
  const root = realPath(temporaryDirectory(t, 'admit'));
  const data = join(root, 'data');
  for (const name of ['keys', 'state', 'spool', 'origin', 'run/agents']) {
    mkdirSync(join(data, name), { recursive: true });
  }
  const layout = join(root, 'layout');
  mkdirSync(layout);
  writeFileSync(join(data, 'keys', 'master.key'), 'secret');
  const rules: AdmissionRules = {
    kinds: [
      {
        main: '/src/flattener-main.ts',
        flags: ['--flag'],
        environment: ['PATH'],
        writes: [join(data, 'spool')],
        puts: [join(data, 'origin')],
        reads: [],
        readsImages: true,
        network: ['none', 'bounded'],
        memoryBytes: 64 * MIB,
      },
    ],
    dataPath: data,
    never: ['/proc', '/etc'],
    fileSystems: ['/srv/shared'],
    agentsPath: join(data, 'run/agents'),
  };
  const helper: Helper = {
    name: 'flattener',
    main: '/src/flattener-main.ts',
    flags: ['--flag'],
    environment: { PATH: '/usr/bin' },
    mounts: [],
    network: 'none',
    niceness: 0,
    stderr: 'pipe',
    memoryBytes: 64 * MIB,
    processes: 64,
    openFiles: 64,
    fileBytes: MIB,
  };
  const refuses = (change: Partial<Helper>) =>
    assert.throws(
      () => admitHelper({ ...helper, ...change }, rules),
      (error) => isSluiceError(error, 'ACCESS_DENIED'),
      JSON.stringify(change),
    );
  return { data, layout, rules, helper, refuses };
}

test('a warden starts only the helpers that a region has, with what each is for', (t) => {
  const { data, layout, rules, helper, refuses } = setUp(t);
  const mounts = [
    { path: join(data, 'spool', 'one'), access: 'write' },
    { path: join(data, 'origin'), access: 'put' },
    { path: layout, access: 'read' },
  ] as const;
  assert.equal(admitHelper({ ...helper, mounts }, rules).mounts.length, 3);
  refuses({ main: '/src/other.ts' });
  refuses({ flags: ['--eval', '1'] });
  refuses({ environment: { NODE_OPTIONS: '--import=/tmp/x.mjs' } });
  refuses({ network: 'host' });
  refuses({ memoryBytes: 65 * MIB });
  refuses({ fuse: { mountPoint: '/usr', maxReadBytes: 4096 } });
});

test('a warden gives no helper keys, state, the host’s configuration, or what holds them', (t) => {
  const { data, layout, refuses } = setUp(t);
  symlinkSync(join(data, 'keys'), join(data, 'spool', 'link'));
  symlinkSync(join(data, 'state'), join(layout, 'link'));
  for (const path of [
    ...['/', '/etc', '/etc/shadow', '/proc/1', data, join(data, 'keys'), join(data, 'state')],
    ...[join(data, 'spool', 'link'), join(layout, 'link'), join(data, 'spool', '..', 'keys')],
  ]) {
    refuses({ mounts: [{ path, access: 'read' }] });
  }
  refuses({ mounts: [{ path: layout, access: 'write' }] });
  refuses({ mounts: [{ path: join(data, 'origin'), access: 'write' }] });
});

test('a warden starts a sandbox of an agent’s device alone, with file systems of the settings', (t) => {
  const { rules } = setUp(t);
  const agents = new Set([7]);
  const disk = (path: string, pid = 7) => `/proc/${pid}/root${rules.agentsPath}${path}`;
  const admit = (diskPath: string, directory = '/srv/shared') => {
    const hostMounts = [{ directory, path: '/mnt/x' }];
    admitSandbox({ shape: { diskPath, hostMounts } } as unknown as SandboxSpec, agents, rules);
  };
  admit(disk('/a/devices/d'));
  for (const path of [
    ...['/dev/sda', disk('/a/devices/d', 8), disk('/a/devices'), disk('/../../x/d')],
    ...[disk('/a/devices/../d'), disk('x/a/devices/d'), '/proc/7/root/etc/passwd'],
  ]) {
    assert.throws(() => admit(path), { code: 'ACCESS_DENIED' }, path);
  }
  assert.throws(() => admit(disk('/a/devices/d'), '/etc'), { code: 'ACCESS_DENIED' });
});
