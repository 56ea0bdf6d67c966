import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { isSluiceError } from '../../src/base/mod.ts';
import { hostHas } from '../support/host.ts';
import {
  firstLine,
  loopDevicesOf,
  makeDisk,
  makeFactory,
  makeSpec,
  processesWith,
  runScript,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

test('runs the entrypoint on a disk without any mount point', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const script = 'echo "$GREETING" && ls / && touch /tmp/x && test -c /dev/null; echo oops >&2';
  const spec = makeSpec(disk, { environment: { PATH: '/bin', GREETING: 'hello world' } });
  const result = await runScript(factory, spec, `${script}; exit 3`);
  assert.equal(result.exitCode, 3);
  assert.equal(result.signal, null);
  assert.equal(result.oomKilled, false);
  assert.equal(result.stderr, 'oops\n');
  const expected = ['hello world', 'bin', 'dev', 'etc', 'lost+found', 'proc', 'sys', 'tmp', ''];
  assert.deepEqual(result.stdout.split('\n'), expected);
  assert.deepEqual(loopDevicesOf(disk), []);
});

test('hands out the socket on which the Runtime API is expected inside', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const wget = 'wget -q -O - http://127.0.0.1:9001/2018-06-01/ping';
  const sandbox = await factory.start(
    makeSpec(disk, { argv: ['/bin/sh', '-c', `${wget}; echo; sleep 1000`] }),
  );
  const requests: (string | undefined)[] = [];
  const http = createServer((request, response) => {
    requests.push(request.url);
    response.end('pong');
  });
  http.listen(sandbox.runtimeApi);
  assert.equal(await firstLine(sandbox.stdout), 'pong');
  assert.deepEqual(requests, ['/2018-06-01/ping']);
  await sandbox.stop();
  assert.deepEqual(await sandbox.exited, { exitCode: null, signal: 'SIGKILL', oomKilled: false });
  http.close();
});

test('stop leaves nothing, however often it is called', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const needle = `sleep-of-${process.pid}`;
  const script = `sh -c 'trap "" TERM; while true; do sleep 1; done' & echo up; wait`;
  const environment = { PATH: '/bin', NEEDLE: needle };
  const argv = ['/bin/sh', '-c', script];
  const sandbox = await factory.start(makeSpec(disk, { argv, environment }));
  assert.equal(await firstLine(sandbox.stdout), 'up');
  assert.notDeepEqual(processesWith(needle), []);
  assert.equal(loopDevicesOf(disk).length, 1);
  await Promise.all([sandbox.stop(), sandbox.stop()]);
  assert.deepEqual(processesWith(needle), []);
  assert.deepEqual(loopDevicesOf(disk), []);
  assert.ok((await sandbox.peakMemoryBytes()) > 0);
});

test('a start that is impossible says which step failed and why', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk, directory } = makeDisk(t);
  const factory = await makeFactory(t);
  const cases = [
    [{ argv: ['/nope'] }, 'FunctionError.InvalidEntryPoint', 'ENOENT'],
    [{ argv: ['nope'] }, 'FunctionError.InvalidEntryPoint', 'ENOENT'],
    [{ argv: ['/bin'] }, 'FunctionError.InvalidEntryPoint', 'EACCES'],
    [{ workingDirectory: '/nope' }, 'FunctionError.InvalidWorkingDirectory', 'ENOENT'],
    [{ diskPath: `${directory}/nope` }, undefined, 'ENOENT'],
    [{ diskPath: '/dev/null' }, undefined, 'EINVAL'],
  ] as const;
  for (const [overrides, reasonCode, errno] of cases) {
    await assert.rejects(factory.start(makeSpec(disk, overrides)), (error) => {
      assert.ok(isSluiceError(error, 'SANDBOX_START_FAILED'), String(error));
      assert.equal(error.data['reasonCode'], reasonCode);
      assert.equal(error.data['errno'], errno, error.message);
      return true;
    });
  }
  assert.deepEqual(loopDevicesOf(disk), []);
});
