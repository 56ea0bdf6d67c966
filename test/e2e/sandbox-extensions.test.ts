import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { until } from '../support/until.ts';
import { firstLine, makeDisk, makeFactory, makeSpec, SANDBOX_NEEDS } from './sandbox-support.ts';

type Programs = Readonly<Record<string, string>>;

/** Fills `/opt/extensions` with shell scripts. */
const extensions = (programs: Programs) => (root: string) => {
  const directory = join(root, 'opt/extensions');
  mkdirSync(directory, { recursive: true });
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(directory, name), script);
    chmodSync(join(directory, name), 0o755);
  }
};

test('extensions run before the entrypoint, and what they print stays apart', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(
    t,
    extensions({
      one: '#!/bin/sh\necho one $ROLE$_HANDLER $(id -u) >/dev/stdout; touch /tmp/one; exec sleep 1000\n',
      two: '#!/bin/sh\necho two >&2; exit 3\n',
      three: 'no program\n',
    }),
  );
  const factory = await makeFactory(t);
  const script = 'ls /tmp; trap "exit 5" TERM; while :; do sleep 0.05; done';
  const sandbox = await factory.start(
    makeSpec(disk, {
      argv: ['/bin/sh', '-c', script],
      environment: { PATH: '/bin', ROLE: 'beside', _HANDLER: 'app' },
      runtimeOnlyVariables: ['_HANDLER'],
    }),
  );
  assert.deepEqual(sandbox.externalExtensions, ['one', 'three', 'two']);
  const { life } = sandbox;
  const one = life.extensionExited('one');
  const three = life.extensionExited('three');
  assert.deepEqual(await life.extensionExited('two'), { exitCode: 3, signal: null });
  assert.equal((await three).launchError, 'ENOEXEC');
  assert.ok(sandbox.extensionOutput);
  const said = text(sandbox.extensionOutput);
  await sandbox.startEntrypoint();
  assert.equal(await firstLine(sandbox.stdout), 'one');
  await sandbox.terminate();
  assert.deepEqual(await sandbox.exited, { exitCode: 5, signal: null, oomKilled: false });
  const early = await Promise.race([one.then(() => 'ended'), Promise.resolve('runs')]);
  assert.equal(early, 'runs', 'an extension outlives the entrypoint');
  await sandbox.stop();
  assert.equal((await one).signal, 'SIGKILL');
  assert.match((await said).trim().split('\n').sort().join(), /^one beside \d{7},two$/);
});

test('an entrypoint that is not there is told when it is started', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t, extensions({ one: '#!/bin/sh\nexec sleep 1000\n' }));
  const factory = await makeFactory(t);
  const sandbox = await factory.start(makeSpec(disk, { argv: ['/no/such'] }));
  await assert.rejects(sandbox.startEntrypoint(), (error: { data: Record<string, unknown> }) => {
    return error.data['reasonCode'] === 'FunctionError.InvalidEntryPoint';
  });
  await sandbox.stop();
});

test('a directory without extensions, or a link in its place, starts nothing', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const factory = await makeFactory(t);
  const fillings = [
    extensions({}),
    (root: string) => {
      mkdirSync(join(root, 'opt'));
      mkdirSync(join(root, 'etc'));
      symlinkSync('/etc', join(root, 'opt/extensions'));
    },
  ];
  for (const fill of fillings) {
    const { disk } = makeDisk(t, fill);
    const sandbox = await factory.start(makeSpec(disk, { argv: ['/bin/echo', 'alone'] }));
    assert.deepEqual(sandbox.externalExtensions, []);
    assert.equal(await firstLine(sandbox.stdout), 'alone');
    await sandbox.exited;
    await sandbox.stop();
  }
});

test('connects to what listens inside, and fails where nothing does', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const script = 'echo up; exec nc -ll -p 7000 -e /bin/echo hello';
  const sandbox = await factory.start(makeSpec(disk, { argv: ['/bin/sh', '-c', script] }));
  assert.equal(await firstLine(sandbox.stdout), 'up');
  const reach = async (port: number): Promise<string> => {
    const socket = await sandbox.connect(port);
    let got = '';
    socket.on('error', () => {});
    socket.on('data', (part) => {
      got += part;
    });
    socket.write('x');
    await new Promise((resolve) => socket.on('close', resolve));
    return got;
  };
  assert.equal(await reach(7001), '');
  let greeting = '';
  await until('an answer', async () => {
    greeting = await reach(7000);
    return greeting !== '';
  });
  assert.equal(greeting, 'hello\n');
  await sandbox.stop();
  await assert.rejects(sandbox.connect(7000), { code: 'CANCELLED' });
});
