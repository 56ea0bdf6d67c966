import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSluiceError, SluiceError } from '../base/mod.ts';
import {
  bench,
  exitOf,
  type FakeSandbox,
  invokeOf,
  textOf,
  timed,
  version,
} from './worker.fixture.ts';

describe('a start', () => {
  test('gives the sandbox the limits and the environment of the function', async (t) => {
    const { start, sandboxes } = bench(t);
    await start();
    const { shape, identity } = sandboxes[0]!.spec;
    assert.equal(shape.memoryBytes, 128 * 1024 * 1024);
    assert.equal(shape.cpuMillis, 1000, 'init has a CPU of its own');
    assert.equal(sandboxes[0]!.cpuMillis, 72, 'afterwards memory decides');
    assert.equal(shape.tmpBytes, 512 * 1024 * 1024);
    assert.deepEqual(shape.argv, ['/bootstrap', 'app.handler']);
    assert.equal(shape.workingDirectory, '/var/task');
    assert.equal(shape.environment['MINE'], '1');
    assert.equal(shape.environment['PATH'], '/bin');
    assert.equal(shape.environment['_HANDLER'], 'app.handler');
    assert.equal(shape.environment['AWS_LAMBDA_RUNTIME_API'], '127.0.0.1:9001');
    assert.match(identity.logStream, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
  });

  test('over the limit of starts is refused at once, with a reason', async (t) => {
    const { start, sandboxes } = bench(t, () => {}, { coldStartsAtOnce: 1 });
    const first = start('sb-1');
    await assert.rejects(start('sb-2'), (error) => {
      assert.ok(isSluiceError(error, 'START_LIMIT_EXCEEDED'));
      assert.equal(error.data['limit'], 'starts-per-worker');
      return true;
    });
    sandboxes[0]!.initDone();
    await first;
  });

  test('of a version whose code has warnings says them first in its log, once', async (t) => {
    const { start, lines } = bench(t, undefined, { warnings: ['layer 1: no', 'config: odd'] });
    for (const sandboxId of ['sb-1', 'sb-2']) await start(sandboxId);
    const texts = lines.map(({ text }) => text);
    assert.deepEqual(texts.slice(0, 2), ['[WARNING]\tlayer 1: no', '[WARNING]\tconfig: odd']);
    assert.match(texts[2] ?? '', /^INIT_START /);
    assert.equal(texts.filter((text) => text.startsWith('[WARNING]')).length, 2);
  });

  test('that is no longer wanted leaves nothing behind', async (t) => {
    const { worker, devices, sandboxes, clock, within } = timed(t, () => {});
    const controller = new AbortController();
    const { signal } = controller;
    const names = { sandboxId: 'sb-1', initializationType: 'on-demand' } as const;
    const starting = worker.start({ ...names, version, term: 1 }, signal);
    clock.setTimer(20, () => controller.abort(new SluiceError('CANCELLED', 'sb-1: not wanted')));
    await assert.rejects(within(starting), (error) => isSluiceError(error, 'CANCELLED'));
    assert.equal(devices.closed, 1);
    assert.equal(sandboxes[0]!.stops, 1);
  });
});

describe('the keys of a sandbox', () => {
  test('are its identity, and revoked when nothing of it is left', async (t) => {
    const { start, sandboxes, keys } = bench(t);
    const hosted = await start();
    assert.deepEqual(sandboxes[0]!.spec.identity.credentials, { AWS_ACCESS_KEY_ID: 'key-1' });
    assert.equal(sandboxes[0]!.spec.shape.environment['AWS_ACCESS_KEY_ID'], undefined);
    assert.equal(keys.revoked, 0);
    await hosted.stop();
    assert.deepEqual(keys, { issued: 1, revoked: 1 });
  });

  test('are revoked when its start fails', async (t) => {
    const { start, keys } = bench(t, () => {
      throw new SluiceError('SANDBOX_START_FAILED', 'sb-1: no');
    });
    await assert.rejects(start(), { code: 'SANDBOX_START_FAILED' });
    assert.deepEqual(keys, { issued: 1, revoked: 1 });
  });
});

describe('init', () => {
  test('that the runtime reports as failed is the answer of the first invoke', async (t) => {
    const body = Buffer.from(
      '{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}',
    );
    const outcome = { kind: 'error', body, errorType: 'Runtime.ImportModuleError' } as const;
    const { start, sandboxes, clock, within } = timed(t, (sandbox) => {
      sandbox.stderr.write('Traceback\n');
      clock.setTimer(10, () => sandbox.initDone(outcome));
    });
    const hosted = await within(start());
    assert.equal(hosted.initFailed, true);
    assert.equal(sandboxes[0]!.stops, 1, 'nothing runs while it waits to say so');
    const { answer, settled } = hosted.invoke(invokeOf({ logTail: true }));
    assert.equal((await within(answer)).payload, body);
    assert.match(String((await answer).logTail), /^Traceback\nSTART RequestId: r-1/);
    assert.equal(await within(settled), false);
    await within(hosted.ended);
  });

  test('whose process exits says so with the request id of the invoke', async (t) => {
    const { start, clock, within } = timed(t, (sandbox) => {
      clock.setTimer(5, () => sandbox.exit(exitOf(1)));
    });
    const hosted = await within(start());
    const { payload } = await within(hosted.invoke(invokeOf()).answer);
    assert.deepEqual(textOf(payload), {
      errorType: 'Runtime.ExitError',
      errorMessage: 'RequestId: r-1 Error: Runtime exited with error: exit status 1',
    });
    await within(hosted.ended);
  });

  test('that fails because the disk could not be read is a start that failed', async (t) => {
    const { start, disk, clock, within, sandboxes } = timed(t, (sandbox) => {
      disk.failedReads++;
      clock.setTimer(5, () => sandbox.exit(exitOf(1)));
    });
    await assert.rejects(within(start()), { code: 'CHUNK_CORRUPT' });
    assert.equal(sandboxes[0]!.stops, 1);
  });

  test('that takes too long is run again inside the first invoke', async (t) => {
    let starts = 0;
    const onStart = (sandbox: FakeSandbox) => {
      if (++starts === 2) clock.setTimer(50, () => sandbox.initDone());
    };
    const { start, sandboxes, clock, within } = timed(t, onStart, { initTimeoutMs: 30 });
    const hosted = await within(start());
    assert.equal(hosted.initFailed, false);
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await within(answer)).status, 'ok');
    assert.equal((await answer).durationMs, 50, 'the second init counts as the function’s time');
    assert.equal(await within(settled), true);
    assert.deepEqual(
      sandboxes.map((sandbox) => sandbox.stops),
      [1, 0],
    );
  });

  test('that never ends is a timeout of the first invoke', async (t) => {
    const { start, within } = timed(t, () => {}, { initTimeoutMs: 30 });
    const hosted = await within(start());
    const { payload } = await within(hosted.invoke(invokeOf()).answer);
    assert.equal(textOf(payload)['errorType'], 'Sandbox.Timedout');
  });

  test('the death of an idle sandbox is told before the clearing up', async (t) => {
    const { start, sandboxes, devices } = bench(t);
    const hosted = await start();
    const stop = Promise.withResolvers<void>();
    sandboxes[0]!.stop = () => stop.promise;
    sandboxes[0]!.exit(exitOf(1));
    await hosted.ended;
    assert.equal(devices.closed, 0);
    stop.resolve();
    await hosted.stop();
    assert.equal(devices.closed, 1);
  });

  test('the death of an idle sandbox is noticed', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.exit(exitOf(1));
    await hosted.ended;
  });
});

describe('an idle sandbox', () => {
  test('is frozen after a while, and thawed for its next invoke', async (t) => {
    const { start, sandboxes, clock, within } = timed(t, undefined, { freezeAfterMs: 20 });
    const hosted = await within(start());
    for (let i = 0; i < 3; i++) {
      const { answer, settled } = hosted.invoke(invokeOf());
      assert.equal((await within(answer)).status, 'ok');
      await within(settled);
      await clock.advance(19);
      assert.equal(sandboxes[0]!.frozen, false, 'not at once');
      await clock.advance(6);
      assert.equal(sandboxes[0]!.frozen, true);
    }
  });

  test('that gets an invoke while it freezes runs it', async (t) => {
    const { start, clock, within } = timed(t, undefined, { freezeAfterMs: 20 });
    const hosted = await within(start());
    for (let idleMs = 18; idleMs < 28; idleMs++) {
      await clock.advance(idleMs);
      const { answer, settled } = hosted.invoke(invokeOf());
      assert.equal((await within(answer)).status, 'ok', `after ${idleMs} ms`);
      await within(settled);
    }
  });

  test('lets extensions end when it goes, also if it was frozen', async (t) => {
    const { start, sandboxes, clock, within } = timed(t, undefined, { freezeAfterMs: 10 });
    const hosted = await within(start());
    sandboxes[0]!.extensions.count = 1;
    await clock.advance(15);
    assert.equal(sandboxes[0]!.frozen, true);
    const stopped = hosted.stop();
    await clock.advance(0);
    assert.ok(sandboxes[0]!.terminated > 0);
    assert.equal(sandboxes[0]!.frozen, false);
    sandboxes[0]!.exit(exitOf(null, 'SIGTERM'));
    await within(stopped);
    assert.deepEqual(sandboxes[0]!.shutdowns, ['spindown']);
  });

  test('without extensions just ends', async (t) => {
    const { start, sandboxes } = bench(t);
    await (await start()).stop();
    assert.deepEqual([sandboxes[0]!.terminated, sandboxes[0]!.shutdowns], [0, []]);
  });

  test('is not frozen while it works', async (t) => {
    const { start, sandboxes, clock, within } = timed(t, undefined, { freezeAfterMs: 10 });
    const hosted = await within(start());
    sandboxes[0]!.handler = async (event) => {
      await clock.sleep(60);
      assert.equal(sandboxes[0]!.frozen, false);
      return { kind: 'response', body: event.payload, contentType: 'application/json' };
    };
    assert.equal((await within(hosted.invoke(invokeOf()).answer)).status, 'ok');
  });
});
