import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { startRegion } from '../support/region.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, SYS_NICE, SYS_RESOURCE, MKNOD. */
const KEPT = [0, 1, 5, 6, 7, 8, 12, 19, 21, 23, 24, 27];

function statusOf(pid: number | 'self'): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s+/) as [string, string]));
}

test('a region has these twelve capabilities, and can gain no other', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup', 'tool:setpriv')) return;
  const region = await startRegion(t, join(temporaryDirectory(t, 'capabilities'), 'data'));
  const status = statusOf(region.process.pid ?? 0);
  const host = BigInt(`0x${statusOf('self')['CapBnd']}`);
  const kept = KEPT.reduce((set, bit) => set | (1n << BigInt(bit)), 0n) & host;
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) {
    assert.equal(BigInt(`0x${status[set]}`), kept, set);
  }
  for (const set of ['CapInh', 'CapAmb']) assert.equal(BigInt(`0x${status[set]}`), 0n, set);
  assert.equal(status['NoNewPrivs'], '1');
  assert.equal(await region.stop(), 0);
});
