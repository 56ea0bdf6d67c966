import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hostHas } from '../../../test/support/host.ts';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { until } from '../../../test/support/until.ts';
import { limits, MIB, noLogger, systemClock, systemRandom } from '../../base/mod.ts';
import { CgroupPool } from '../cgroup/pool.ts';
import { HelperNetwork } from '../network/helper-network.ts';
import { Jails } from './jails.ts';
import type { Attempt } from './probe.fixture.ts';
import type { Helper, HelperMount } from './types.ts';

const probe = fileURLToPath(new URL('./probe.fixture.ts', import.meta.url));

/** A data directory as a region has it: keys and state beside what a helper is given. */
function someData(t: TestContext) {
  const directory = temporaryDirectory(t, 'jail');
  for (const name of ['keys', 'state', 'origin', 'own']) {
    mkdirSync(join(directory, name), { mode: 0o700 });
    writeFileSync(join(directory, name, 'file'), `in ${name}`, { mode: 0o600 });
  }
  return directory;
}

function helperWith(mounts: readonly HelperMount[], network: Helper['network'] = 'none'): Helper {
  return {
    name: 'probe',
    main: probe,
    flags: ['--disable-warning=ExperimentalWarning'],
    environment: {},
    mounts,
    network,
    niceness: 0,
    stderr: 'inherit',
    memoryBytes: 256 * MIB,
    processes: limits.helpers.processes,
    openFiles: 256,
    fileBytes: 1 * MIB,
  };
}

async function start(
  t: TestContext,
  jails: Jails,
  mounts: readonly HelperMount[],
  network?: Helper['network'],
) {
  const child = await jails.spawn(helperWith(mounts, network));
  t.after(() => child.kill('SIGKILL'));
  const ask = async (what: Attempt): Promise<string> => {
    const answer = once(child, 'message');
    child.send(what);
    return (await answer)[0] as string;
  };
  return { child, ask };
}

function statusOf({ pid }: ChildProcess): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s+/) as [string, string]));
}

test('a helper has its own uid, no capabilities, and no way to gain any', async (t) => {
  if (!hostHas(t, 'root')) return;
  const jails = new Jails({ random: systemRandom });
  const one = await start(t, jails, []);
  const two = await start(t, jails, []);
  const first = statusOf(one.child);
  assert.notEqual(first['Uid'], statusOf(two.child)['Uid']);
  const uids = first['Uid']?.split('\t').map(Number) ?? [];
  assert.equal(new Set(uids).size, 1);
  assert.ok((uids[0] ?? 0) >= limits.helpers.firstUid);
  assert.equal(first['Groups']?.trim(), `${uids[0]}`);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.equal(first[set], '0000000000000000', set);
  }
  assert.equal(first['NoNewPrivs'], '1');
  assert.equal(first['Seccomp'], '2');
});

test('a helper cannot read keys, state, or what another helper was given', async (t) => {
  if (!hostHas(t, 'root')) return;
  const data = someData(t);
  const jails = new Jails({ random: systemRandom });
  const own = join(data, 'own');
  const mounts = [
    { path: own, access: 'write' },
    { path: join(data, 'origin'), access: 'read' },
  ] as const;
  const { child, ask } = await start(t, jails, mounts);
  const other = await start(t, jails, []);
  assert.equal(await ask({ kind: 'read', path: join(own, 'file') }), 'in own');
  assert.equal(await ask({ kind: 'write', path: join(own, 'made') }), 'written');
  assert.equal(statSync(join(own, 'made')).uid, 0, 'on the disk nothing changes its owner');
  assert.equal(await ask({ kind: 'read', path: join(data, 'origin', 'file') }), 'in origin');
  assert.equal(await ask({ kind: 'write', path: join(data, 'origin', 'file') }), 'EROFS');
  for (const name of ['keys', 'state']) {
    assert.equal(await ask({ kind: 'read', path: join(data, name, 'file') }), 'ENOENT');
  }
  assert.equal(await ask({ kind: 'list', path: data }), 'origin own');
  assert.match(await other.ask({ kind: 'list', path: '/proc' }), /^\d+ self thread-self$/);
  assert.equal(await other.ask({ kind: 'read', path: join(own, 'file') }), 'ENOENT');
  // By another's root, which /proc would show to whom the kernel lets trace it.
  assert.equal(await other.ask({ kind: 'list', path: `/proc/${child.pid}/root` }), 'ENOENT');
  assert.equal(await other.ask({ kind: 'signal', pid: child.pid ?? 0 }), 'EPERM');
  assert.equal(await other.ask({ kind: 'signal', pid: process.pid }), 'EPERM');
});

test('a helper sees no network, no program and no device of the host', async (t) => {
  if (!hostHas(t, 'root')) return;
  const { child, ask } = await start(t, new Jails({ random: systemRandom }), []);
  assert.equal(await ask({ kind: 'interfaces' }), '');
  assert.equal(await ask({ kind: 'run', path: '/bin/true' }), 'ENOENT');
  assert.equal(await ask({ kind: 'list', path: '/dev' }), 'ENOENT');
  assert.equal(await ask({ kind: 'write', path: '/made' }), 'EROFS');
  const mounts = readFileSync(`/proc/${child.pid}/mountinfo`, 'utf8');
  assert.doesNotMatch(mounts, / (master|shared):/, 'no mount of the host is held or hears of it');
});

test('a put mount takes files and gives none back', async (t) => {
  if (!hostHas(t, 'root')) return;
  const data = someData(t);
  const origin = join(data, 'origin');
  mkdirSync(join(origin, 'state'));
  writeFileSync(join(origin, 'state', 'active'), 'yes', { mode: 0o600 });
  const mounts = [{ path: origin, access: 'put', readable: ['state'] }] as const;
  const { ask } = await start(t, new Jails({ random: systemRandom }), mounts);
  assert.equal(await ask({ kind: 'write', path: join(origin, 'new') }), 'written');
  assert.equal(await ask({ kind: 'read', path: join(origin, 'file') }), 'EACCES');
  assert.equal(await ask({ kind: 'read', path: join(origin, 'new') }), 'EACCES');
  assert.equal(
    await ask({ kind: 'descriptor', path: join(origin, 'file'), flags: 'r+' }),
    'EACCES',
  );
  assert.equal(await ask({ kind: 'read', path: join(origin, 'state', 'active') }), 'yes');
});

test('a helper reads our modules as compiled outside of its jail, and cannot change them', async (t) => {
  if (!hostHas(t, 'root')) return;
  const told = process.env['NODE_COMPILE_CACHE'];
  delete process.env['NODE_COMPILE_CACHE'];
  t.after(() => {
    if (told !== undefined) process.env['NODE_COMPILE_CACHE'] = told;
  });
  const compileCache = temporaryDirectory(t, 'compiled');
  const one = await start(t, new Jails({ random: systemRandom, compileCache }), []);
  const own = join(compileCache, 'probe');
  const compiled = () => (existsSync(own) ? readdirSync(own, { recursive: true }) : []);
  await until('the modules are compiled', () => compiled().length > 1);
  assert.equal(await one.ask({ kind: 'list', path: own }), 'ENOENT');
  const { child, ask } = await start(t, new Jails({ random: systemRandom, compileCache }), []);
  const uid = statusOf(child)['Uid']?.split('\t')[0];
  const folder = (await ask({ kind: 'list', path: own })).split(' ').at(-1) ?? '';
  assert.ok(folder.endsWith(`-${uid}`), folder);
  assert.notEqual(await ask({ kind: 'list', path: join(own, folder) }), '');
  assert.equal(await ask({ kind: 'write', path: join(own, folder, 'made') }), 'EROFS');
  const around = await start(t, new Jails({ random: systemRandom, compileCache }), [
    { path: compileCache, access: 'read' },
  ]);
  assert.equal(await around.ask({ kind: 'list', path: compileCache }), 'probe');
  process.env['NODE_COMPILE_CACHE'] = temporaryDirectory(t, 'told');
  await start(t, new Jails({ random: systemRandom, compileCache }), []);
  assert.ok(existsSync(join(process.env['NODE_COMPILE_CACHE'], 'helpers', 'probe')));
});

/** Something of this host that listens at these addresses, of one port. */
async function listenAt(t: TestContext, hosts: readonly string[]): Promise<number> {
  let port = 0;
  for (const host of hosts) {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    ({ port } = server.address() as AddressInfo);
    t.after(() => server.close());
  }
  return port;
}

test('a helper on the host’s network reaches what is opened for it, and nothing near', async (t) => {
  if (!hostHas(t, 'root', 'tool:nft')) return;
  const options = { ownerId: 'feedfeed', outbound: { deny: [] }, logger: noLogger };
  const network = new HelperNetwork({
    ...options,
    resolve: async (name) => (name === 'registry.example' ? ['127.0.0.3'] : []),
  });
  const jails = new Jails({ random: systemRandom, network });
  t.after(() => jails.close());
  const tables = () => execFileSync('nft', ['list', 'tables', 'inet'], { encoding: 'utf8' });
  const port = await listenAt(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3']);
  const open = ['127.0.0.2/32', 'registry.example'];
  const one = await start(t, jails, [], { scope: 'world', open });
  const two = await start(t, jails, [], { scope: 'near', open: ['127.0.0.1'] });
  assert.match(tables(), /slufeedfeed_/);
  const found = async (who: typeof one, host: string) =>
    who.ask({ kind: 'connect', to: { host, port } });
  assert.equal(await found(one, '127.0.0.2'), 'connected');
  assert.equal(await found(one, '127.0.0.3'), 'connected', 'by its name');
  assert.equal(await found(one, '127.0.0.1'), 'ECONNREFUSED', 'the host itself');
  assert.equal(await found(one, '::ffff:127.0.0.1'), 'ECONNREFUSED', 'mapped');
  assert.equal(await found(two, '127.0.0.1'), 'connected', 'what is another’s own');
  assert.equal(await found(two, '127.0.0.2'), 'ECONNREFUSED');
  assert.notEqual(await found(two, '169.254.169.254'), 'connected', 'a cloud’s metadata');
  const path = '\0sluice-jails-test';
  const local = createServer().listen(path);
  t.after(() => local.close());
  await once(local, 'listening');
  assert.equal(await one.ask({ kind: 'connect', to: { path } }), 'EAFNOSUPPORT', 'abstract names');
  for (const { child } of [one, two]) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const rules = () => execFileSync('nft', ['list', 'ruleset', 'inet'], { encoding: 'utf8' });
  await until(
    'its rules are gone',
    () => !/chain helper/.test(rules().split('slufeedfeed_')[1] ?? ''),
  );
  await jails.close();
  assert.doesNotMatch(tables(), /slufeedfeed_/, 'nothing is left');
});

test('a helper is in a cgroup of its own, which goes with it', async (t) => {
  if (!hostHas(t, 'root', 'cgroup')) return;
  const ownerId = `jail-test-${process.pid}`;
  const cgroups = await CgroupPool.open({ ownerId, clock: systemClock, logger: noLogger });
  const jails = new Jails({ random: systemRandom });
  jails.useCgroups(cgroups);
  t.after(() => jails.close());
  const { child } = await start(t, jails, []);
  assert.match(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8'), new RegExp(`sluice-${ownerId}/`));
  child.kill('SIGKILL');
  await once(child, 'exit');
  await jails.close();
  assert.equal(existsSync(`/sys/fs/cgroup/pids/sluice-${ownerId}`), false);
});

test('a jail that cannot be made is an error that names the step', async (t) => {
  if (!hostHas(t, 'root')) return;
  const jails = new Jails({ random: systemRandom });
  const missing = join(temporaryDirectory(t), 'missing');
  await assert.rejects(jails.spawn(helperWith([{ path: missing, access: 'read' }])));
  const unmappable = [{ path: '/proc/self', access: 'read' as const }];
  await assert.rejects(
    jails.spawn(helperWith(unmappable)),
    (error: { code: string; message: string }) =>
      error.code === 'HOST_LACKS' && /restrict \/proc\/self: E/.test(error.message),
  );
});
