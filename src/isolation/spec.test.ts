import assert from 'node:assert/strict';
import { constants } from 'node:os';
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
    [{ sandboxId: '' }, /id/],
    [{ sandboxId: '../x' }, /id/],
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

test('a wrong setting in the image is an error of the function, told in words', () => {
  const faults: [Partial<SandboxShape>, string, string][] = [
    [{ argv: [] }, 'InvalidEntryPoint', 'entrypoint: there is none; set ENTRYPOINT or CMD in'],
    [{ argv: [''] }, 'InvalidEntryPoint', 'entrypoint: there is none'],
    [{ argv: ['a', 'x'.repeat(300_000)] }, 'InvalidEntryPoint', 'entrypoint: arguments and'],
    [
      { argv: ['a\0b'] },
      'InvalidEntryPoint',
      'entrypoint: an argument or variable has a zero byte',
    ],
    [{ environment: { A: 'nul\0' } }, 'InvalidEntryPoint', 'entrypoint: an argument or variable'],
    [{ workingDirectory: 'src' }, 'InvalidWorkingDirectory', 'working directory "src": is not'],
    [{ workingDirectory: '' }, 'InvalidWorkingDirectory', 'working directory "": is not absolute'],
    [{ environment: { '': 'x' } }, 'InvalidEnvironment', 'environment: "=x" names no variable'],
    [{ environment: { 'A=B': 'c' } }, 'InvalidEnvironment', 'environment: "A=B=c" names no'],
  ];
  for (const [overrides, reason, message] of faults) {
    assert.throws(
      () => checkSpec({ shape: { ...shape, ...overrides }, identity }),
      (error) => {
        assert.ok(isSluiceError(error, 'SANDBOX_START_FAILED'), String(error));
        assert.equal(error.data['reasonCode'], `FunctionError.${reason}`);
        assert.ok(error.message.startsWith(message), error.message);
        return true;
      },
    );
  }
});

test('a start error says what is at fault, and gives Lambda’s name for it', () => {
  const EACCES = 13;
  const EIO = 5;
  const entrypoint = startError(good, 'run the entrypoint', EACCES);
  assert.equal(entrypoint.message, 'entrypoint /bin/run: permission denied');
  assert.equal(entrypoint.data['reasonCode'], 'FunctionError.InvalidEntryPoint');
  const mount = startError(good, 'mount the disk', EACCES);
  assert.equal(mount.message, '/disk: cannot mount the disk: EACCES');
  assert.deepEqual(mount.data, { sandboxId: 'sandbox-1', step: 'mount the disk', errno: 'EACCES' });
  const tmp = startError(good, 'mount /tmp', constants.errno.ENOTDIR);
  assert.equal(tmp.message, '/tmp: the image has a file or a broken link there, not a directory');
  assert.equal(tmp.data['reasonCode'], 'FunctionError.InvalidImage');
  const ours = startError(good, 'mount /tmp', constants.errno.ENOMEM);
  assert.equal(ours.data['reasonCode'], undefined);
  for (const step of ['run the entrypoint', 'enter the working directory']) {
    const damaged = startError(good, step, EIO);
    assert.equal(damaged.data['reasonCode'], undefined, 'a disk that cannot be read is our fault');
  }
  assert.equal(startError(good, 'pivot', 9999).data['errno'], 'errno 9999');
});
