import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { VirtualClock } from '../base/mod.ts';
import { initStartEvent, invokeDoneEvents } from './platform-events.ts';
import { SandboxLog } from './sandbox-log.ts';
import type { SandboxTemplate } from './template.ts';
import { template } from './worker.fixture.ts';

const at = '2026-01-02T03:04:05.678Z';
const facts = { requestId: 'r', durationMs: 1.5, memoryMb: 128, maxMemoryMb: 37, initMs: 20 };

/** One invoke that prints these lines; answers what the log holds. */
async function logOf(more: Partial<SandboxTemplate>, printed: readonly string[]) {
  const lines: string[] = [];
  const clock = new VirtualClock(Date.parse(at));
  const log = new SandboxLog({ ...template, ...more }, 'stream', clock, {
    write: ({ text }) => lines.push(text),
  });
  const told: unknown[] = [];
  log.telemetryTo({ isHeard: true, emit: ({ type, record }) => told.push([type, record]) });
  log.platform(initStartEvent(template, 'on-demand', 'init'));
  log.begin({ requestId: 'r', logTail: true }, true);
  const output = new PassThrough();
  const read = log.capture(output);
  output.end(printed.map((line) => `${line}\n`).join(''));
  await read;
  log.end(['it failed'], invokeDoneEvents(facts, undefined, 2));
  return { lines, told, tail: log.tail.toString() };
}

test('a log of format Text has the lines of the platform, and everything printed', async () => {
  const { lines, tail } = await logOf({}, ['plain', '{"level":"DEBUG"}']);
  assert.match(lines[0] ?? '', /^INIT_START Runtime Version: image\tRuntime Version ARN: arn:aws:/);
  const rest = [
    'START RequestId: r Version: $LATEST',
    'plain',
    '{"level":"DEBUG"}',
    'it failed',
    'END RequestId: r',
    'REPORT RequestId: r\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t' +
      'Max Memory Used: 37 MB\tInit Duration: 20.00 ms\t',
  ];
  assert.deepEqual(lines.slice(1), rest);
  assert.equal(tail, `${rest.join('\n')}\n`, 'the tail has what belongs to the invoke');
});

test('a log of format JSON has objects, and leaves out what is below its levels', async () => {
  const printed = ['plain', '{"level":"debug"}', '{"level":"ERROR"}', '{"level":7}', '{broken'];
  const { lines, told } = await logOf({ logFormat: 'JSON' }, printed);
  const kept = ['plain', '{"level":"ERROR"}', '{"level":7}', '{broken'];
  assert.deepEqual(lines.slice(2, 6), kept);
  const objects = [lines[0], lines[1], lines[6]].map((line) => JSON.parse(line ?? ''));
  const types = objects.map(({ type }) => type);
  assert.deepEqual(types, ['platform.initStart', 'platform.start', 'platform.report']);
  assert.deepEqual(objects[2], {
    time: at,
    type: 'platform.report',
    record: {
      requestId: 'r',
      status: 'success',
      metrics: {
        durationMs: 1.5,
        billedDurationMs: 2,
        memorySizeMB: 128,
        maxMemoryUsedMB: 37,
        initDurationMs: 20,
      },
    },
  });
  assert.equal(lines.length, 7);
  assert.deepEqual(told[3], ['function', { level: 'ERROR' }], 'telemetry has it as an object');

  const levels = { applicationLogLevel: 'TRACE', systemLogLevel: 'DEBUG' };
  const all = await logOf({ logFormat: 'JSON', ...levels }, printed);
  assert.ok(all.lines.includes('{"level":"debug"}'));
  assert.ok(all.lines.some((line) => line.includes('platform.runtimeDone')));
  const few = await logOf({ logFormat: 'JSON', systemLogLevel: 'WARN' }, []);
  assert.deepEqual(few.lines, []);
});

test('the tail has what belongs to an invoke that asks for it, and nothing of one that does not', () => {
  const log = new SandboxLog(template, 'stream', new VirtualClock(Date.parse(at)), {
    write: () => {},
  });
  log.begin({ requestId: 'quiet', logTail: false }, true);
  log.end(['it failed'], []);
  assert.equal(log.tail.toString(), '');
  log.begin({ requestId: 'asks', logTail: true }, false);
  log.end(['so did this'], []);
  assert.match(log.tail.toString(), /^START RequestId: asks Version: .*\nso did this\n$/);
});

test('no event is made for telemetry while nobody hears it', () => {
  const log = new SandboxLog(template, 'stream', new VirtualClock(Date.parse(at)), {
    write: () => {},
  });
  const told: string[] = [];
  const telemetry = { isHeard: false, emit: ({ type }: { type: string }) => void told.push(type) };
  log.telemetryTo(telemetry);
  log.begin({ requestId: 'r', logTail: false }, true);
  telemetry.isHeard = true;
  log.end([], invokeDoneEvents(facts, undefined, 2));
  assert.deepEqual(told, ['platform.runtimeDone', 'platform.end', 'platform.report']);
});
