import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { noLogger } from '../../base/mod.ts';
import { readLoadTrace } from './load-trace.ts';
import { LoadTraceFile, olderTrace } from './load-trace-file.ts';

const line = (ms: number) => `${ms} ${'0a'.repeat(32)}\n`;

async function timesIn(path: string): Promise<number[]> {
  const times: number[] = [];
  for await (const { timeMs } of readLoadTrace(path)) times.push(timeMs);
  return times;
}

test('a trace keeps the last loads in two files of half its limit, through restarts', async (t) => {
  const path = join(temporaryDirectory(t, 'trace'), 'loads');
  const limitBytes = 10 * line(1000).length;
  for (let run = 0; run < 4; run++) {
    const trace = new LoadTraceFile({ path, logger: noLogger, limitBytes });
    for (let i = 0; i < 3; i++) trace.append(line(1000 + 3 * run + i));
    await trace.close();
  }
  const kept = [...(await timesIn(olderTrace(path))), ...(await timesIn(path))];
  assert.deepEqual(
    kept,
    [...new Array(12).keys()].slice(12 - kept.length).map((i) => 1000 + i),
  );
  assert.ok(kept.length >= 5, 'half of the limit at least');
  assert.ok(statSync(path).size + statSync(olderTrace(path)).size <= limitBytes);
});

test('a trace that cannot be written makes nothing fail', async (t) => {
  const path = join(temporaryDirectory(t, 'trace'), 'absent', 'loads');
  const trace = new LoadTraceFile({ path, logger: noLogger });
  trace.append(line(1));
  await trace.close();
});
