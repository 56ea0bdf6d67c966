import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, MIB } from '../base/mod.ts';
import { startError } from './lean/start-error.ts';
import { checkSpec } from './spec.ts';
import type { SandboxSpec } from './types.ts';

const good: SandboxSpec = {
  sandboxId: 'sandbox-1',
  diskPath: '/disk',
  argv: ['/bin/run'],
  environment: { NAME: 'a=b' },
  workingDirectory: '/var/task',
  uid: 993,
  gid: 990,
  memoryBytes: 128 * MIB,
  cpuMillis: 72,
  tmpBytes: 512 * MIB,
  processes: 1024,
  openFiles: 1024,
};

test('takes what can be started, and refuses what cannot, naming it', () => {
  checkSpec(good);
  const bad: [Partial<SandboxSpec>, RegExp][] = [
    [{ sandboxId: '' }, /id/],
    [{ sandboxId: '../x' }, /id/],
    [{ argv: [] }, /entrypoint/],
    [{ argv: [''] }, /entrypoint/],
    [{ workingDirectory: 'relative' }, /working directory/],
    [{ environment: { 'A=B': 'c' } }, /A=B/],
    [{ environment: { '': 'c' } }, /environment/],
    [{ environment: { A: 'nul\0' } }, /A/],
    [{ uid: -1 }, /uid/],
    [{ gid: 2 ** 32 - 1 }, /gid/],
    [{ memoryBytes: 0 }, /memoryBytes/],
    [{ cpuMillis: 0.5 }, /cpuMillis/],
    [{ tmpBytes: Number.NaN }, /tmpBytes/],
    [{ processes: 0 }, /processes/],
    [{ openFiles: 2 }, /openFiles/],
  ];
  for (const [overrides, message] of bad) {
    assert.throws(
      () => checkSpec({ ...good, ...overrides }),
      (error) => isSluiceError(error, 'USAGE') && message.test(error.message),
    );
  }
});

test('an error of a start says what is at fault, and how Lambda calls that', () => {
  const EACCES = 13;
  const entrypoint = startError(good, 'run the entrypoint', EACCES);
  assert.equal(entrypoint.message, 'entrypoint /bin/run: permission denied');
  assert.equal(entrypoint.data['reasonCode'], 'FunctionError.InvalidEntryPoint');
  const mount = startError(good, 'mount the disk', EACCES);
  assert.equal(mount.message, '/disk: cannot mount the disk: EACCES');
  assert.deepEqual(mount.data, { sandboxId: 'sandbox-1', step: 'mount the disk', errno: 'EACCES' });
  assert.equal(startError(good, 'pivot', 9999).data['errno'], 'errno 9999');
});
