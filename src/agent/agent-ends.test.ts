import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { until } from '../../test/support/until.ts';
import { MIB } from '../base/mod.ts';
import type { Device } from '../device/mod.ts';
import { mountsBelow, rig, someDisk } from './agent.fixture.ts';

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
