import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { bench, exitOf, invokeOf, textOf, timed } from './worker.fixture.ts';

describe('an invoke', () => {
  test('answers with the response and can be followed by another', async (t) => {
    const { start } = bench(t);
    const sandbox = await start();
    for (let i = 0; i < 3; i++) {
      const { answer, settled } = sandbox.invoke(invokeOf());
      assert.equal((await answer).payload.toString(), '{"a":1}');
      assert.equal((await answer).status, 'ok');
      assert.equal(await settled, true);
    }
  });

  test('has START, the output, END and REPORT in its log', async (t) => {
    const { start, sandboxes, lines } = bench(t);
    const hosted = await start();
    const [sandbox] = sandboxes;
    sandbox!.handler = async () => {
      sandbox!.stdout.write('hello\nworld');
      sandbox!.stderr.write('oops\n');
      await until('a line', () => lines.some(({ text }) => text === 'oops'));
      sandbox!.stdout.write('!\n');
      return { kind: 'response', body: Buffer.from('1'), contentType: 'text/plain' };
    };
    const { logTail } = await hosted.invoke(invokeOf({ logTail: true })).answer;
    const log = String(logTail);
    assert.match(
      log,
      /^START RequestId: r-1 Version: \$LATEST\nhello\noops\nworld!\nEND RequestId: r-1\nREPORT /,
    );
    assert.match(
      log,
      /REPORT RequestId: r-1\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: 37 MB\tInit Duration: [\d.]+ ms\t\n$/,
    );
    assert.equal(lines.filter((line) => line.requestId === 'r-1').length, 6);
    const again = await hosted.invoke(invokeOf({ logTail: true })).answer;
    assert.doesNotMatch(String(again.logTail), /Init Duration/);
  });

  test('a handler that prints a megabyte gets the last 4 KiB of it', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    const [sandbox] = sandboxes;
    sandbox!.handler = async () => {
      sandbox!.stdout.write(`${'x'.repeat(999)}\n`.repeat(1000));
      sandbox!.stdout.write('y'.repeat(1024 * 1024));
      return { kind: 'response', body: Buffer.from('1'), contentType: 'text/plain' };
    };
    const { logTail } = await hosted.invoke(invokeOf({ logTail: true })).answer;
    assert.equal(logTail?.length, 4096);
    assert.match(String(logTail), /yyy\nEND RequestId: r-1\nREPORT/);
  });

  test('that fails because its disk could not be read is our failure, and ends the sandbox', async (t) => {
    const { start, sandboxes, disk } = bench(t);
    const hosted = await start();
    sandboxes[0]!.handler = async () => {
      disk.failedReads++;
      return { kind: 'error', body: Buffer.from('{}'), errorType: 'Error' };
    };
    const { answer, settled } = hosted.invoke(invokeOf());
    await assert.rejects(answer, {
      code: 'CHUNK_CORRUPT',
      message: 'sb-1: 1 reads of its disk failed',
    });
    assert.equal(await settled, false);
    await hosted.ended;
  });

  test('passes on what the runtime posted, and the sandbox serves on', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    const body = Buffer.from('{"errorMessage":"no","errorType":"E","stackTrace":[]}');
    sandboxes[0]!.handler = async () => ({ kind: 'error', body, errorType: 'E' });
    const { answer, settled } = hosted.invoke(invokeOf());
    const { status, payload, functionError } = await answer;
    assert.deepEqual([status, functionError], ['function-error', 'Unhandled']);
    assert.equal(payload, body);
    assert.equal(await settled, true);
  });

  test('whose extension breaks is answered with its words, and resets the sandbox', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    const body = Buffer.from('{"errorType":"Extension.Crash"}');
    sandboxes[0]!.handler = async () => ({ kind: 'fatal', body, errorType: 'Extension.Crash' });
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await answer).payload, body);
    assert.equal(await settled, true);
    assert.deepEqual(sandboxes[0]!.shutdowns, []);
    assert.equal(sandboxes[0]!.stops, 1);
  });

  test('that runs out of time resets the sandbox, which is over when it is answered', async (t) => {
    const { start, sandboxes, within } = timed(t);
    const hosted = await within(start());
    sandboxes[0]!.handler = () => new Promise(() => {});
    const { answer, settled } = hosted.invoke(invokeOf({ logTail: true }));
    const { status, payload, logTail } = await within(answer);
    assert.equal(status, 'function-error');
    assert.match(
      String(logTail),
      /Error: Task timed out after 0\.30 seconds\nSandbox\.Timedout\nEND .*\nREPORT .*\tStatus: timeout\t\n$/,
    );
    assert.equal(
      payload.toString(),
      '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r-1 Error: Task timed out after 0.30 seconds"}',
    );
    assert.equal(sandboxes[0]!.stops, 1);
    assert.equal(await within(settled), true);
  });

  for (const [exit, message] of [
    [exitOf(0), 'Runtime exited without providing a reason'],
    [exitOf(127), 'Runtime exited with error: exit status 127'],
    [exitOf(null, 'SIGKILL'), 'Runtime exited with error: signal: killed'],
    [exitOf(null, 'SIGSEGV'), 'Runtime exited with error: signal: segmentation fault'],
  ] as const) {
    test(`whose process ends says: ${message}`, async (t) => {
      const { start, sandboxes } = bench(t);
      const hosted = await start();
      sandboxes[0]!.handler = () => {
        setImmediate(() => sandboxes[0]!.exit(exit));
        return new Promise(() => {});
      };
      const { answer, settled } = hosted.invoke(invokeOf());
      const errorMessage = `RequestId: r-1 Error: ${message}`;
      const expected = { errorType: 'Runtime.ExitError', errorMessage };
      assert.deepEqual(textOf((await answer).payload), expected);
      assert.equal(await settled, true);
      assert.equal(sandboxes[0]!.stops, 1);
    });
  }

  test('whose response is too large says how large it may be', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.handler = async () => ({ kind: 'oversize', limitBytes: 6_291_556 });
    assert.deepEqual(textOf((await hosted.invoke(invokeOf()).answer).payload), {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
  });

  test('whose runtime exits after the response is still answered', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.whenSettled = () => new Promise(() => {});
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await answer).status, 'ok');
    sandboxes[0]!.exit(exitOf(1));
    assert.equal(await settled, true);
    assert.equal(sandboxes[0]!.stops, 1);
  });

  test('whose runtime never asks again resets its sandbox at the timeout', async (t) => {
    const { start, sandboxes, within } = timed(t);
    const hosted = await within(start());
    sandboxes[0]!.whenSettled = () => new Promise(() => {});
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await within(answer)).status, 'ok');
    assert.equal(await within(settled), true);
    assert.equal(sandboxes[0]!.stops, 1);
  });

  test('stopped from outside still gets an answer', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.handler = () => new Promise(() => {});
    const { answer } = hosted.invoke(invokeOf());
    await hosted.stop();
    assert.equal(textOf((await answer).payload)['errorType'], 'Runtime.ExitError');
  });
});
