import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { limits, noLogger } from '../base/mod.ts';
import type { AccessRun } from '../device/mod.ts';
import type { ManifestHeader } from '../seal/mod.ts';
import { ChunkLore } from './chunk-lore.ts';

const [OPERATOR, ANNE, BOB] = ['000000000000', '111111111111', '222222222222'];
const PAGES_PER_CHUNK = 128;

/** A disk of these contents, a dot for a zero chunk; equal letters are equal chunks. */
function disk(accountId: string, contents: string): ManifestHeader {
  const stored = [...contents].flatMap((letter, index): [number, string][] =>
    letter === '.' ? [] : [[index, createHash('sha256').update(letter).digest('hex')]],
  );
  const facts = { manifestId: `${accountId}-${contents}`, accountId };
  return { ...facts, storedChunks: () => stored } as unknown as ManifestHeader;
}

function open(t: TestContext) {
  const directory = temporaryDirectory(t, 'lore');
  const again = () => new ChunkLore({ directory, operatorId: OPERATOR, logger: noLogger });
  return { directory, again, lore: again() };
}

const at = (chunk: number, page: number, pages: number, atMs: number): AccessRun => [
  chunk * PAGES_PER_CHUNK + page,
  pages,
  atMs,
];

const learn = (lore: ChunkLore, of: ManifestHeader, ...runs: AccessRun[]) =>
  lore.learn(of, { manifestId: of.manifestId, runs });

test('a new version is started by what was read of the chunks that it shares, in that order', async (t) => {
  const { lore } = open(t);
  await learn(lore, disk(ANNE, 'abcd'), at(2, 5, 3, 10), at(0, 7, 1, 20), at(1, 0, 2, 30));
  const next = disk(ANNE, 'x.ca');
  assert.deepEqual(await lore.predict(next), {
    manifestId: next.manifestId,
    runs: [at(2, 5, 3, 10), at(3, 7, 1, 20)],
  });
});

test('a run over several chunks is known of each of them', async (t) => {
  const { lore } = open(t);
  await learn(lore, disk(ANNE, 'abc'), at(0, 126, 2 + PAGES_PER_CHUNK + 1, 4));
  const predicted = await lore.predict(disk(ANNE, 'cba'));
  assert.deepEqual(predicted?.runs, [
    at(0, 0, 1, 4),
    at(1, 0, PAGES_PER_CHUNK, 4),
    at(2, 126, 2, 4),
  ]);
});

test('accounts learn from themselves and from the operator, and never from each other', async (t) => {
  const { lore } = open(t);
  await learn(lore, disk(ANNE, 'a'), at(0, 1, 1, 1));
  await learn(lore, disk(OPERATOR, 'b'), at(0, 2, 1, 1));
  assert.equal(await lore.predict(disk(BOB, 'a')), undefined);
  assert.deepEqual((await lore.predict(disk(BOB, 'ab')))?.runs, [at(1, 2, 1, 1)]);
  assert.equal(await lore.predict(disk(OPERATOR, 'a')), undefined);
});

test('lore outlives a restart, and what is damaged counts as absent', async (t) => {
  const { lore, again, directory } = open(t);
  await learn(lore, disk(ANNE, 'a'), at(0, 1, 1, 1));
  assert.deepEqual((await again().predict(disk(ANNE, 'a')))?.runs, [at(0, 1, 1, 1)]);
  const path = join(directory, `${ANNE}.json`);
  const name = createHash('sha256').update('a').digest('hex');
  const bad = ['{', '{}', '{"version":2,"chunks":[]}'];
  for (const runs of [[[127, 2]], [[-1, 1]], [['0', 1]]]) {
    bad.push(JSON.stringify({ version: 1, chunks: [[name, 1, runs]] }));
  }
  for (const bytes of bad) {
    writeFileSync(path, bytes);
    assert.equal(await again().predict(disk(ANNE, 'a')), undefined, bytes);
  }
});

test('of one account a limited number of chunks is known, the last ones learnt', async (t) => {
  const { lore, again, directory } = open(t);
  const count = limits.device.loreChunks + 10;
  const letters = String.fromCodePoint(...Array.from({ length: count }, (_, i) => 0x4e00 + i));
  await learn(lore, disk(ANNE, letters), at(0, 0, count * PAGES_PER_CHUNK, 1));
  for (const each of [lore, again()]) {
    const predicted = await each.predict(disk(ANNE, letters));
    assert.equal(predicted?.runs.length, limits.device.loreChunks);
    assert.equal(predicted?.runs[0]?.[0], 10 * PAGES_PER_CHUNK);
  }
  assert.deepEqual(readdirSync(directory), [`${ANNE}.json`]);
});
