import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, limits, noLogger, VirtualClock } from '../base/mod.ts';
import { UsageLedger } from './usage.ts';
import { readUsage, UsageFile } from './usage-file.ts';

const used = (functionArn: string, more: object = {}) => ({
  accountId: 'a',
  functionArn,
  memoryMb: 512,
  durationMs: 10.2,
  coldStart: false,
  failed: false,
  ...more,
});

test('counts invokes, errors, cold starts and what they cost', () => {
  const ledger = new UsageLedger();
  ledger.invoked(used('f', { coldStart: true }));
  ledger.invoked(used('f', { failed: true, memoryMb: 1024 }));
  ledger.throttled('a', 'f');
  assert.deepEqual(ledger.usage('a'), [
    {
      accountId: 'a',
      functionArn: 'f',
      invocations: 2,
      functionErrors: 1,
      throttles: 1,
      coldStarts: 1,
      billedMs: 22,
      gbMs: 16.5,
    },
  ]);
  assert.deepEqual(ledger.usage('b'), []);
});

test('functions beyond the limit are counted for their account', () => {
  const ledger = new UsageLedger([], 2);
  for (const name of ['f', 'g', 'h', 'i', 'h']) ledger.invoked(used(name));
  const counts = ledger.usage().map((each) => [each.functionArn, each.invocations]);
  assert.deepEqual(counts, [
    ['*', 3],
    ['f', 1],
    ['g', 1],
  ]);
});

test('the file has what the ledger has, after a while and at the end', async (t) => {
  const path = join(temporaryDirectory(t, 'usage'), 'usage.json');
  const clock = new VirtualClock();
  const options = { path, clock, logger: noLogger };
  const first = await UsageFile.open(options);
  first.ledger.invoked(used('f'));
  clock.jump(limits.usage.saveMs);
  for (let i = 0; i < 50 && (await readUsage(path)).length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await readUsage(path))[0]?.invocations, 1);
  first.ledger.invoked(used('f'));
  await first.close();
  const second = await UsageFile.open(options);
  second.ledger.invoked(used('f'));
  await second.close();
  assert.equal((await readUsage(path))[0]?.invocations, 3);
  assert.match(readFileSync(path, 'utf8'), /\n$/);
  writeFileSync(path, '[]');
  await assert.rejects(UsageFile.open(options), (error) => isSluiceError(error, 'STORE_CORRUPT'));
});
