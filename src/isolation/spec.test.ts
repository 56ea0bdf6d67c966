import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, MIB } from '../base/mod.ts';
import { startError } from './lean/start-error.ts';
import {
  checkSpec,
  extensionEnvironmentOf,
  type SandboxIdentity,
  type SandboxShape,
  type SandboxSpec,
  sandboxEnvironment,
} from './spec.ts';

const shape: SandboxShape = {
  diskPath: '/disk',
  argv: ['/bin/run'],
  environment: { NAME: 'a=b', _HANDLER: 'app.handler' },
  runtimeOnlyVariables: ['_HANDLER'],
  workingDirectory: '/var/task',
  uid: 993,
  gid: 990,
  memoryBytes: 128 * MIB,
  cpuMillis: 72,
  tmpBytes: 512 * MIB,
  processes: 1024,
  openFiles: 1024,
};
const identity: SandboxIdentity = {
  sandboxId: 'sandbox-1',
  logStream: 'stream',
  initializationType: 'on-demand',
  credentials: { AWS_ACCESS_KEY_ID: 'AKIA' },
  deadlineMs: 1000,
};
const good: SandboxSpec = { shape, identity };

test('the environment is the shape’s, then the identity’s; extensions find less of it', () => {
  const forged = { ...shape.environment, AWS_ACCESS_KEY_ID: 'forged' };
  const spec = { shape: { ...shape, environment: forged }, identity };
  const forExtensions = {
    NAME: 'a=b',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_ACCESS_KEY_ID: 'AKIA',
  };
  assert.deepEqual(extensionEnvironmentOf(spec), forExtensions);
  const own = { _HANDLER: 'app.handler', AWS_LAMBDA_LOG_STREAM_NAME: 'stream' };
  assert.deepEqual(sandboxEnvironment(spec), { ...forExtensions, ...own });
});

test('takes what can be started, and refuses what cannot, naming it', () => {
  checkSpec(good);
  const bad: [Partial<SandboxShape & SandboxIdentity>, RegExp][] = [
    [{ deadlineMs: Number.POSITIVE_INFINITY }, /deadline/],
    [{ credentials: { 'A=B': 'c' } }, /A=B/],
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
      () =>
        checkSpec({ shape: { ...shape, ...overrides }, identity: { ...identity, ...overrides } }),
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
