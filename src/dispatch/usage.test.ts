import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, limits, noLogger, systemClock, VirtualClock } from '../base/mod.ts';
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

test('a change is in the file at once, and many changes are written together', async (t) => {
  const path = join(temporaryDirectory(t, 'usage'), 'usage.json');
  const clock = new VirtualClock();
  const file = await UsageFile.open({ path, clock, logger: noLogger });
  const written = async () => (await readUsage(path))[0]?.invocations;
  /** Lets the write that was begun come to its end. */
  const until = async (invocations: number) => {
    while ((await written()) !== invocations) await systemClock.sleep(1);
  };
  const { saveMs, saveSoonMs } = limits.usage;
  assert.equal(clock.pending, 0, 'nothing wakes a region where nothing is used');
  file.ledger.invoked(used('f'));
  await clock.advance(saveSoonMs);
  await until(1);
  for (let n = 0; n < 5; n++) {
    file.ledger.invoked(used('f'));
    await clock.advance(saveMs / 10);
  }
  assert.equal(await written(), 1);
  await clock.advance(saveMs / 2);
  await until(6);
  await file.close();
  file.ledger.invoked(used('f'));
  assert.equal(clock.pending, 0, 'nor one that is closed');
});

test('the file has what the ledger has, after a while and at the end', async (t) => {
  const path = join(temporaryDirectory(t, 'usage'), 'usage.json');
  const clock = new VirtualClock();
  const options = { path, clock, logger: noLogger };
  const first = await UsageFile.open(options);
  first.ledger.invoked(used('f'));
  clock.jump(limits.usage.saveMs);
  while ((await readUsage(path)).length === 0) await systemClock.sleep(1);
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
