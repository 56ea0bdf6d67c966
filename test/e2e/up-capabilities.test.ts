import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { cgroupsOfRegion } from '../support/leftovers.ts';
import { startRegion } from '../support/region.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

/** CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, SYS_NICE, SYS_RESOURCE, MKNOD. */
const KEPT = [0, 1, 5, 6, 7, 8, 12, 19, 21, 23, 24, 27];
const NONE: readonly number[] = [];

function statusOf(pid: number | 'self'): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s+/) as [string, string]));
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`).length > 0;
}

/** Effective, permitted and bounding are these of what the host gives, the others empty. */
function assertCapabilities(pid: number, bits: readonly number[]): void {
  const status = statusOf(pid);
  const host = BigInt(`0x${statusOf('self')['CapBnd']}`);
  const kept = bits.reduce((set, bit) => set | (1n << BigInt(bit)), 0n) & host;
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) {
    assert.equal(BigInt(`0x${status[set]}`), kept, set);
  }
  for (const set of ['CapInh', 'CapAmb']) assert.equal(BigInt(`0x${status[set]}`), 0n, set);
  assert.equal(status['NoNewPrivs'], '1');
}

test('a region has no capability; its warden has twelve, and neither can gain another', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const region = await startRegion(t, join(temporaryDirectory(t, 'capabilities'), 'data'));
  const pid = region.process.pid ?? 0;
  assertCapabilities(pid, NONE);
  const [warden = 0, ...others] = childrenOf(pid);
  assert.deepEqual(others, [], 'all else is the warden’s');
  assert.match(readFileSync(`/proc/${warden}/cmdline`, 'utf8'), /warden-main/);
  assertCapabilities(warden, KEPT);
  assert.equal(await region.stop(), 0);
  await until('the warden ended with it', () => !isRunning(warden));
});

test('a region whose warden is killed ends, and says so', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const data = join(temporaryDirectory(t, 'wardenless'), 'data');
  const region = await startRegion(t, data);
  const pid = region.process.pid ?? 0;
  const [warden = 0] = childrenOf(pid);
  const helpers = childrenOf(warden);
  process.kill(warden, 'SIGKILL');
  const [status] = await once(region.process, 'exit');
  assert.notEqual(status, 0);
  await until('what it started is gone', () => !helpers.some(isRunning));
  const next = await startRegion(t, data);
  assert.equal(await next.stop(), 0);
  assert.deepEqual(cgroupsOfRegion(data), [], 'the next one clears away its cgroups');
});
