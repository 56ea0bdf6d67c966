import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { limits, VirtualClock } from '../base/mod.ts';
import { OutputReader } from './output-reader.ts';

const { outputBurstLines, outputLines, outputLinesPerSecond } = limits.sandbox;

function reader() {
  const clock = new VirtualClock();
  const stream = new PassThrough();
  const seen = { lines: 0, droppedBytes: 0 };
  const reading = new OutputReader({
    stream,
    clock,
    onLine: () => {
      seen.lines += 1;
    },
    onDropped: (sizeBytes) => {
      seen.droppedBytes += sizeBytes;
    },
    onOutput: () => {},
  });
  return { clock, stream, seen, reading };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test('a flood of short lines is taken in slices, then no faster than lines are allowed', async () => {
  const { clock, stream, seen, reading } = reader();
  stream.write('\n'.repeat(64 * 1024));
  await turn();
  assert.equal(seen.lines, outputBurstLines);
  assert.ok(reading.isBehind);
  for (let elapsedMs = 0; elapsedMs < 1000; elapsedMs += 10) await clock.advance(10);
  assert.ok(seen.lines >= outputLinesPerSecond);
  assert.ok(seen.lines <= outputLines + outputLinesPerSecond + outputBurstLines, `${seen.lines}`);
});

test('its writer waits meanwhile: only one part is read', async () => {
  const { stream, seen } = reader();
  for (let part = 0; part < 100; part += 1) stream.write('\n'.repeat(16 * 1024));
  await turn();
  assert.equal(seen.lines, outputBurstLines);
  assert.ok(stream.isPaused());
});

test('what a writer leaves behind when it ends is counted, not read without limit', async () => {
  const { stream, seen, reading } = reader();
  stream.write('\n'.repeat(64 * 1024));
  await turn();
  stream.destroy();
  await reading.ended;
  assert.ok(seen.lines <= outputLines + outputBurstLines);
  assert.equal(seen.lines + seen.droppedBytes, 64 * 1024);
});

test('lines that come a few at a time are limited like many at once', async () => {
  const { clock, stream, seen } = reader();
  for (let elapsedMs = 0; elapsedMs < 1000; elapsedMs += 10) {
    for (let part = 0; part < 10; part += 1) {
      if (!stream.writableNeedDrain) stream.write('line\n'.repeat(100));
      await turn();
    }
    await clock.advance(10);
  }
  assert.ok(seen.lines >= outputLinesPerSecond);
  assert.ok(seen.lines <= outputLines + outputLinesPerSecond + outputBurstLines, `${seen.lines}`);
});
