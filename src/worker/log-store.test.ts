import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { noLogger, systemClock } from '../base/mod.ts';
import { readLog } from './log-reader.ts';
import { groupDirectory, segmentPath } from './log-segments.ts';
import { FileLogStore, type LogStoreLimits } from './log-store.ts';
import type { LogLine } from './types.ts';

const accountId = '000000000000';
const logGroup = '/aws/lambda/f';

const lineOf = (text: string, more: Partial<LogLine> = {}): LogLine => ({
  timeEpochMs: 1_763_700_000_000,
  accountId,
  logGroup,
  logStream: '2025/11/21/[$LATEST]0',
  requestId: 'r-1',
  source: 'function',
  text,
  ...more,
});

async function bench(t: TestContext, limits: Partial<LogStoreLimits> = {}) {
  const directory = temporaryDirectory(t, 'logs');
  const options = { directory, clock: systemClock, logger: noLogger, limits };
  const store = await FileLogStore.open(options);
  t.after(async () => {
    await store.close();
    // What closing wrote: hooks run in their order, and the directory went before.
    rmSync(directory, { recursive: true, force: true });
  });
  const texts = async (more: { last?: number; logGroup?: string; accountId?: string } = {}) => {
    const read: string[] = [];
    const from = { directory, accountId, logGroup, clock: systemClock, ...more };
    for await (const line of readLog(from)) read.push(line.text);
    return read;
  };
  return { directory, options, store, texts };
}

describe('the log store', () => {
  test('one account’s lines push out its own, never another’s', async (t) => {
    const { store, texts } = await bench(t, { totalBytes: 20_000, segmentBytes: 1000 });
    store.write(lineOf('kept'));
    await store.flush();
    const loud = { accountId: '111111111111' };
    for (let i = 0; i < 100; i++) {
      store.write(lineOf('x'.repeat(1000), loud));
      await store.flush();
    }
    assert.deepEqual(await texts(), ['kept']);
    assert.ok((await texts(loud)).length < 20);
  });

  test('an account that writes too fast loses its own lines, never another’s', async (t) => {
    const { store, texts } = await bench(t, { pendingBytes: 1000 });
    for (let i = 0; i < 100; i++) {
      store.write(lineOf('x'.repeat(100), { accountId: '111111111111' }));
    }
    store.write(lineOf('kept'));
    await store.flush();
    assert.deepEqual(await texts(), ['kept']);
  });

  test('damaged lines hide no others, and are counted by their file', async (t) => {
    const { store, directory } = await bench(t);
    store.write(lineOf('one'));
    await store.flush();
    const path = segmentPath(groupDirectory(directory, accountId, logGroup), 1);
    const bad = ['{"timeEp', 'null', '7', '{}', '{"timeEpochMs":1e99,"stream":"s","text":"t"}'];
    appendFileSync(path, `${[...bad, '{"timeEpochMs":1,"stream":"s"}'].join('\n')}\n`);
    store.write(lineOf('two'));
    await store.flush();
    const damaged: string[] = [];
    const texts: string[] = [];
    const onDamaged = (file: string) => void damaged.push(file);
    const from = { directory, accountId, logGroup, clock: systemClock, onDamaged };
    for await (const line of readLog(from)) texts.push(line.text);
    assert.deepEqual(texts, ['one', 'two']);
    assert.deepEqual(damaged, new Array(6).fill(path));
  });

  test('unknown files do not disturb the log store', async (t) => {
    const { directory, options } = await bench(t);
    for (const name of ['x', '.DS_Store']) writeFileSync(join(directory, name), '');
    for (const name of ['lost+found', join(accountId, 'g'), '111111111111']) {
      mkdirSync(join(directory, name), { recursive: true });
    }
    for (const name of ['.DS_Store', 'g/1x.jsonl', 'g/x']) {
      writeFileSync(join(directory, accountId, name), '');
    }
    await (await FileLogStore.open(options)).close();
  });

  test('gives back what was written, group by group', async (t) => {
    const { store, texts, directory } = await bench(t);
    store.write(lineOf('one'));
    store.write(lineOf('zwei, \u0000 "ü"\n'));
    store.write(lineOf('other', { logGroup: '/aws/lambda/g' }));
    await store.flush();
    assert.deepEqual(await texts(), ['one', 'zwei, \u0000 "ü"\n']);
    assert.deepEqual(await texts({ last: 1 }), ['zwei, \u0000 "ü"\n']);
    assert.deepEqual(await texts({ logGroup: '/aws/lambda/g' }), ['other']);
    assert.deepEqual(await texts({ logGroup: 'none' }), []);
    const reading = readLog({ directory, accountId, logGroup, clock: systemClock });
    const { value: line } = await reading.next();
    assert.deepEqual(line, {
      timeEpochMs: 1_763_700_000_000,
      stream: '2025/11/21/[$LATEST]0',
      requestId: 'r-1',
      source: 'function',
      text: 'one',
    });
  });

  test('keeps a group under its limit, losing the oldest lines', async (t) => {
    const limits = { segmentBytes: 2000, groupBytes: 10_000 };
    const { store, texts, directory } = await bench(t, limits);
    for (let n = 0; n < 500; n++) {
      store.write(lineOf(`line ${n}`));
      if (n % 7 === 0) await store.flush();
    }
    await store.flush();
    const group = groupDirectory(directory, accountId, logGroup);
    const sizes = readdirSync(group).map((name) => statSync(join(group, name)).size);
    const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(totalBytes <= 10_000 && totalBytes > 5000, `${totalBytes} bytes`);
    const kept = await texts();
    assert.equal(kept.at(-1), 'line 499');
    const first = 500 - kept.length;
    assert.deepEqual(
      kept,
      Array.from({ length: kept.length }, (_, n) => `line ${first + n}`),
    );
  });

  test('keeps all groups together under their limit', async (t) => {
    const limits = { segmentBytes: 1000, groupBytes: 50_000, totalBytes: 5000 };
    const { store, texts, options } = await bench(t, limits);
    for (let n = 0; n < 100; n++) {
      store.write(lineOf(`line ${n}`, { logGroup: `g${n % 2}` }));
      await store.flush();
    }
    const counts = [await texts({ logGroup: 'g0' }), await texts({ logGroup: 'g1' })];
    assert.ok(counts.every((kept) => kept.length > 5 && kept.length < 25));
    const again = await FileLogStore.open(options);
    again.write(lineOf('after a restart', { logGroup: 'g0' }));
    await again.flush();
    assert.equal((await texts({ logGroup: 'g0' })).at(-1), 'after a restart');
  });

  test('drops what comes faster than it can be written, and lives', async (t) => {
    const { store, texts } = await bench(t, { pendingBytes: 1000 });
    for (let n = 0; n < 100; n++) store.write(lineOf('x'.repeat(100)));
    await store.flush();
    const kept = await texts();
    assert.ok(kept.length >= 5 && kept.length <= 7, `${kept.length}`);
    store.write(lineOf('later'));
    await store.flush();
    assert.equal((await texts()).at(-1), 'later');
  });

  test('a line cut short by a crash hurts no other', async (t) => {
    const { directory, store, texts } = await bench(t);
    store.write(lineOf('before'));
    await store.flush();
    const path = segmentPath(groupDirectory(directory, accountId, logGroup), 1);
    appendFileSync(path, '{"timeEpochMs":1,"te\n');
    store.write(lineOf('after'));
    await store.flush();
    assert.deepEqual(await texts(), ['before', 'after']);
  });

  test('no group name leads out of the account’s directory', async (t) => {
    const { directory, store } = await bench(t);
    for (const name of ['..', '../../etc', '.', 'a/../../b', 'x'.repeat(512)]) {
      assert.equal(
        join(groupDirectory(directory, accountId, name), '..'),
        join(directory, accountId),
      );
      store.write(lineOf('here', { logGroup: name }));
    }
    await store.flush();
    assert.deepEqual(readdirSync(directory), [accountId]);
    assert.equal(readdirSync(join(directory, accountId)).length, 5);
    await store.remove(accountId, '..');
    assert.equal(readdirSync(join(directory, accountId)).length, 4);
  });
});

test('a follower sees lines as they come, over segments, until it has seen enough', async (t) => {
  const { directory, store } = await bench(t, { segmentBytes: 500 });
  store.write(lineOf('old'));
  store.write(lineOf('line 0'));
  await store.flush();
  const enough = new AbortController();
  let n = 1;
  const writer = setInterval(() => store.write(lineOf(`line ${n++}`)), 10);
  const seen: string[] = [];
  const { signal } = enough;
  const from = {
    directory,
    accountId,
    logGroup,
    clock: systemClock,
    follow: true,
    last: 1,
    signal,
  };
  for await (const line of readLog(from)) {
    seen.push(line.text);
    if (seen.length === 20) enough.abort();
    if (seen.length === 20) break;
  }
  clearInterval(writer);
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, i) => `line ${i}`),
  );
});
