import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { constants, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { noLogger, systemClock } from '../../src/base/mod.ts';
import type { LeanOwner } from '../../src/isolation/lean/lean-factory.ts';
import { CgroupPool } from '../../src/isolation/mod.ts';
import { hostHas } from '../support/host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import {
  cgroupsOf,
  firstLine,
  loopDevicesOf,
  loopDevicesUnder,
  makeDisk,
  makeFactory,
  makeOwnedFactory,
  makeSpec,
  processesWith,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

/** The processes of this one that fork sandboxes' launchers. */
function spawners(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  return children
    .split(' ')
    .filter((pid) => pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'init\0');
}

test('a killed parent takes its sandboxes along; the next one sweeps the cgroups', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const ownerId = `killed-${process.pid}`;
  const needle = `needle-${process.pid}`;
  const overrides = {
    argv: ['sh', '-c', `sh -c 'while :; do sleep 1; done' & echo up; wait`],
    environment: { PATH: '/bin', NEEDLE: needle },
  };
  const support = new URL('./sandbox-support.ts', import.meta.url).href;
  const source = `
    import { makeOwnedFactory, makeSpec, firstLine } from ${JSON.stringify(support)};
    const factory = await makeOwnedFactory(${JSON.stringify(ownerId)});
    const spec = makeSpec(${JSON.stringify(disk)}, ${JSON.stringify(overrides)});
    const sandboxes = await Promise.all([factory.start(spec), factory.start(spec)]);
    for (const each of sandboxes) await firstLine(each.stdout);
    await sandboxes[0].freeze();
    console.log('running');
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => parent.kill('SIGKILL'));
  assert.equal(await firstLine(parent.stdout), 'running');
  assert.ok(processesWith(needle).length >= 2 * 2);
  assert.equal(loopDevicesOf(disk).length, 2);
  parent.kill('SIGKILL');
  await until('processes go, frozen ones too', () => processesWith(needle).length === 0);
  await until('loop devices go', () => loopDevicesOf(disk).length === 0);
  const factory = await makeOwnedFactory(ownerId);
  const running = await factory.start(makeSpec(disk, { argv: ['sleep', '1000'] }));
  const swept = await factory.sweep();
  assert.ok(swept.cgroups >= 2, `${swept.cgroups}`);
  assert.equal(await Promise.race([running.exited, sleep(50).then(() => 'runs')]), 'runs');
  await factory.close();
  assert.deepEqual(cgroupsOf(ownerId), []);
});

test('one hundred starts at once, and nothing is left of them', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const spec = makeSpec(disk, { argv: ['sh', '-c', 'echo up; sleep 1000'] });
  const starts = Array.from({ length: 100 }, async (_, i) => {
    const identity = { ...spec.identity, sandboxId: `sandbox-${i}` };
    const sandbox = await factory.start({ ...spec, identity });
    assert.equal(await firstLine(sandbox.stdout), 'up');
    return sandbox;
  });
  const sandboxes = await Promise.all(starts);
  assert.equal(loopDevicesOf(disk).length, 100);
  await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  assert.deepEqual(loopDevicesOf(disk), []);
});

test('a start that is cancelled at any moment leaves nothing', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const needle = `cancelled-${process.pid}`;
  const spec = makeSpec(disk, {
    argv: ['sleep', '1000'],
    environment: { PATH: '/bin', NEEDLE: needle },
  });
  let cancelled = 0;
  for (let delayMs = 0; delayMs < 30; delayMs++) {
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const start = factory.start(spec, controller.signal).then(
      (sandbox) => sandbox.stop(),
      (error) => {
        assert.equal(error, reason);
        cancelled++;
      },
    );
    await sleep(delayMs);
    controller.abort(reason);
    await start;
    assert.deepEqual(loopDevicesOf(disk), []);
    assert.deepEqual(processesWith(needle), []);
  }
  assert.ok(cancelled > 0);
});

test('close stops what runs; a start after it is refused', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const spec = makeSpec(disk, { argv: ['sleep', '1000'] });
  const sandbox = await factory.start(spec);
  await factory.close();
  assert.equal((await sandbox.exited).signal, 'SIGKILL');
  assert.deepEqual(loopDevicesOf(disk), []);
  await assert.rejects(factory.start(spec), { code: 'CANCELLED' });
});

test('a sandbox that does not stop prevents nothing else in close, and is reported', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const ownerId = `unwilling-${process.pid}`;
  const real = await CgroupPool.open({ ownerId, clock: systemClock, logger: noLogger });
  const unwilling = {
    acquire: () => real.acquire(),
    close: () => real.close(),
    release: async (cgroup: Awaited<ReturnType<typeof real.acquire>>) => {
      await real.release(cgroup);
      throw new Error('it does not end');
    },
  } as unknown as CgroupPool;
  const factory = await makeOwnedFactory(ownerId, { cgroups: unwilling });
  await factory.start(makeSpec(disk, { argv: ['sleep', '1000'] }));
  const others = spawners().length - 1;
  await assert.rejects(factory.close(), { message: 'it does not end' });
  assert.deepEqual(cgroupsOf(ownerId), []);
  assert.equal(spawners().length, others);
});

test('close waits for starts that are under way, and for sandboxes that ended by themselves', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const ended = await factory.start(makeSpec(disk, { argv: ['true'] }));
  await ended.exited;
  const spec = makeSpec(disk, { argv: ['sleep', '1000'] });
  const starts = Array.from({ length: 20 }, () => factory.start(spec));
  const settled = Promise.allSettled(starts);
  await factory.close();
  for (const each of await settled) {
    if (each.status === 'fulfilled') assert.equal((await each.value.exited).signal, 'SIGKILL');
  }
  assert.deepEqual(loopDevicesOf(disk), []);
});

test('orphans are reaped, and all go when the entrypoint does', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const needle = `orphan-${process.pid}`;
  const script = `for i in 1 2 3 4 5; do (sleep 0.01 &); done
    (sh -c 'trap "" HUP TERM; sleep 1000' &); sleep 0.2
    ps -o stat | grep -c Z; sleep 0.3; exit 7`;
  const environment = { PATH: '/bin', NEEDLE: needle };
  const spec = makeSpec(disk, { argv: ['sh', '-c', script], environment });
  const sandbox = await factory.start(spec);
  assert.equal(await firstLine(sandbox.stdout), '0');
  assert.notDeepEqual(processesWith(needle), []);
  assert.equal((await sandbox.exited).exitCode, 7);
  assert.deepEqual(processesWith(needle), []);
  await sandbox.stop();
});

test('an entrypoint that ends at once counts as started, every time', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const starts = Array.from({ length: 30 }, async () => {
    const sandbox = await factory.start(makeSpec(disk, { argv: ['sh', '-c', 'exit 5'] }));
    assert.equal((await sandbox.exited).exitCode, 5);
    await sandbox.stop();
  });
  await Promise.all(starts);
});

test('a killed spawner takes no sandbox along and is replaced', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const spec = makeSpec(disk, { argv: ['sh', '-c', 'echo up; sleep 1000'] });
  const before = await factory.start(spec);
  const [spawner] = spawners();
  assert.ok(spawner);
  process.kill(Number(spawner), 'SIGKILL');
  await until('the spawner goes', () => !existsSync(`/proc/${spawner}/exe`));
  for (let i = 0; i < 4; i++) {
    const after = await factory.start(spec);
    assert.equal(await firstLine(after.stdout), 'up');
    await after.stop();
  }
  assert.equal(await Promise.race([before.exited, sleep(20).then(() => 'runs')]), 'runs');
  await before.stop();
  assert.deepEqual(loopDevicesOf(disk), []);
});

test('a parent killed at any moment of many starts leaves no process and no loop device', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk, directory } = makeDisk(t);
  const ownerId = `interrupted-${process.pid}`;
  const needle = `interrupted-${process.pid}`;
  const scratchDirectory = join(directory, 'scratch');
  const overrides = { argv: ['sleep', '1000'], environment: { PATH: '/bin', NEEDLE: needle } };
  const support = new URL('./sandbox-support.ts', import.meta.url).href;
  const source = `
    import { makeOwnedFactory, makeSpec } from ${JSON.stringify(support)};
    const options = { scratchDirectory: ${JSON.stringify(scratchDirectory)} };
    const factory = await makeOwnedFactory(${JSON.stringify(ownerId)}, options);
    await factory.sweep();
    const spec = makeSpec(${JSON.stringify(disk)}, ${JSON.stringify(overrides)});
    for (let round = 0; ; round++) {
      const starts = await Promise.all(Array.from({ length: 8 }, () => factory.start(spec)));
      if (round === 0) console.log('starting');
      await Promise.all(starts.map((sandbox) => sandbox.stop()));
    }`;
  for (const delayMs of [0, 40, 80, 120, 160]) {
    const parent = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.equal(await firstLine(parent.stdout), 'starting');
    await sleep(delayMs);
    parent.kill('SIGKILL');
    const devices = () => loopDevicesUnder(directory);
    await until('processes go', () => processesWith(needle).length === 0);
    await until(`loop devices go: ${devices()}`, () => devices().length === 0);
  }
  const factory = await makeOwnedFactory(ownerId, { scratchDirectory });
  await factory.sweep();
  await factory.close();
  assert.deepEqual(cgroupsOf(ownerId), []);
  assert.deepEqual(readdirSync(scratchDirectory), []);
});

test('who reads its output has all the time to open it, before the sandbox owns it', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const pipesDirectory = temporaryDirectory(t, 'pipes');
  const factory = await makeFactory(t, { pipesDirectory });
  let output = '';
  const owner: LeanOwner = {
    onEvent: () => {},
    onBegun: async (launcher) => {
      const { stdout } = launcher.pipes ?? assert.fail('it has named pipes');
      await sleep(200);
      assert.equal(statSync(stdout).uid, 0);
      const fd = openSync(stdout, constants.O_RDONLY | constants.O_NONBLOCK);
      const read = new Socket({ fd, readable: true, writable: false });
      read.on('data', (bytes) => {
        output += bytes;
      });
      launcher.releasePipes();
      assert.ok(!existsSync(stdout));
    },
  };
  const argv = ['/bin/sh', '-c', 'echo said; sleep 1000'];
  const sandbox = await factory.provider.start(makeSpec(disk, { argv }), owner);
  await until('it is heard', () => output === 'said\n');
  await sandbox.stop();
});
