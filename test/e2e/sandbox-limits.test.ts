import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../src/base/mod.ts';
import { hostHas } from '../support/host.ts';
import {
  firstLine,
  loopDevicesOf,
  loopDevicesUnder,
  makeDisk,
  makeFactory,
  makeSpec,
  runScript,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

test('memory beyond the limit ends in the out-of-memory killer, for that sandbox alone', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const neighbour = await factory.start(makeSpec(disk, { argv: ['sleep', '1000'] }));
  const spec = makeSpec(disk, { memoryBytes: 64 * MIB });
  const hog = await runScript(factory, spec, 'exec tail /dev/zero');
  assert.deepEqual([hog.exitCode, hog.signal, hog.oomKilled], [null, 'SIGKILL', true]);
  const settled = await Promise.race([neighbour.exited, sleep(50).then(() => 'runs')]);
  assert.equal(settled, 'runs');
  // The cgroup that saw the kill serves again, and the next sandbox is not blamed for it.
  for (let i = 0; i < 3; i++) {
    assert.equal((await runScript(factory, spec, 'kill -9 $$')).oomKilled, false);
  }
});

test('a fork bomb ends at the limit of processes', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const spec = makeSpec(disk, {
    processes: 20,
    argv: ['sh', '-c', 'b() { b | b & }; b; echo up; sleep 1000'],
  });
  const bomb = await factory.start(spec);
  await firstLine(bomb.stdout);
  await sleep(200);
  await bomb.stop();
  assert.deepEqual(loopDevicesOf(disk), []);
  // The entrypoint's shell is one of the twenty.
  const script = 'i=0; while [ $i -lt 30 ]; do sleep 100 & i=$((i+1)); echo $i; done; true';
  const { stdout, stderr } = await runScript(factory, spec, script);
  assert.match(stderr, /can't fork/);
  assert.equal(stdout.trim().split('\n').length, 19);
});

for (const kind of ['memory', 'disk'] as const) {
  test(`a full /tmp of ${kind} answers with no space left, by bytes and by files`, async (t) => {
    if (!hostHas(t, ...SANDBOX_NEEDS)) return;
    const { disk, directory } = makeDisk(t);
    const scratchDirectory = join(directory, 'scratch');
    const factory = await makeFactory(t, kind === 'disk' ? { scratchDirectory } : {});
    const script = `dd if=/dev/zero of=/tmp/full bs=1M count=100 2>&1 | grep -o 'No space left on device'
    rm /tmp/full; i=0; while : > /tmp/$i; do i=$((i+1)); done 2>&1 | grep -o 'No space left on device'
    rm -rf /tmp/*; echo again > /tmp/file && cat /tmp/file`;
    const { stdout } = await runScript(factory, makeSpec(disk), script);
    const full = 'No space left on device\n';
    assert.equal(stdout, `${full}${full}again\n`);
  });
}

test('a /tmp on disk holds more than the memory, and is gone with the sandbox', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk, directory } = makeDisk(t);
  const scratchDirectory = join(directory, 'scratch');
  const factory = await makeFactory(t, { scratchDirectory });
  const spec = makeSpec(disk, { memoryBytes: 32 * MIB, tmpBytes: 96 * MIB });
  const script = `ls -A /tmp; stat -c '%a %u %g' /tmp
    dd if=/dev/zero of=/tmp/large bs=1M count=90 2>/dev/null && wc -c < /tmp/large
    cp /bin/busybox /tmp/busybox && /tmp/busybox echo runs`;
  for (let i = 0; i < 2; i++) {
    const result = await runScript(factory, spec, script);
    assert.equal(result.stdout, `1777 0 0\n${90 * MIB}\nruns\n`);
    assert.equal(result.oomKilled, false);
  }
  assert.deepEqual(readdirSync(scratchDirectory), []);
  assert.deepEqual(loopDevicesUnder(scratchDirectory), []);
  writeFileSync(join(scratchDirectory, 'scratch-9'), 'of an earlier life');
  await factory.sweep();
  assert.deepEqual(readdirSync(scratchDirectory), []);
});

test('a share of a CPU is what it gets', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const spec = makeSpec(disk, { cpuMillis: 100 });
  const script = 'sh -c "while :; do :; done" & sleep 1; kill -9 $!; wait; cat /proc/$$/stat';
  const { stdout } = await runScript(factory, spec, script);
  // Fields 16 and 17 of /proc/PID/stat: user and system time of waited-for children, in 1/100 s.
  const fields = stdout.slice(stdout.lastIndexOf(')') + 2).split(' ');
  const childTicks = Number(fields[13]) + Number(fields[14]);
  assert.ok(childTicks > 0 && childTicks <= 20, `${childTicks} ticks of about 10`);
});

test('a frozen sandbox stands still, runs on when thawed, and stops when frozen', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const script = 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done';
  const sandbox = await factory.start(makeSpec(disk, { argv: ['sh', '-c', script] }));
  let seen = 0;
  sandbox.stdout.on('data', () => seen++);
  while (seen === 0) await sleep(5);
  await sandbox.freeze();
  await sleep(20);
  const frozenAt = seen;
  await sleep(150);
  assert.equal(seen, frozenAt);
  await sandbox.thaw();
  while (seen === frozenAt) await sleep(5);
  await sandbox.freeze();
  await sandbox.stop();
  assert.equal((await sandbox.exited).signal, 'SIGKILL');
  assert.deepEqual(loopDevicesOf(disk), []);
});

test('tells the most memory that was used', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const script = 'dd if=/dev/zero of=/dev/null bs=20M count=1 2>/dev/null';
  const sandbox = await factory.start(makeSpec(disk, { argv: ['sh', '-c', script] }));
  await sandbox.exited;
  const peakBytes = await sandbox.peakMemoryBytes();
  assert.ok(peakBytes > 20 * MIB && peakBytes < 30 * MIB, `${peakBytes}`);
  await sandbox.stop();
  assert.equal(await sandbox.peakMemoryBytes(), peakBytes);
});
