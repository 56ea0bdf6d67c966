import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, noLogger, VirtualClock } from '../base/mod.ts';
import { sealedManifest } from '../origin/origin.fixture.ts';
import { openCollector } from './collector.ts';
import { keepGeneration } from './region-identity.ts';
import { adoptRegion, openFunctions, openStores, type Stores } from './stores.ts';

/** A region with functions and a root in its origin, as `up` leaves it. */
async function makeRegion(t: TestContext): Promise<Stores> {
  const stores = await openStores(join(temporaryDirectory(t, 'identity'), 'data'));
  await openFunctions(stores.data).close();
  await stores.origin.createRoot();
  await stores.identity.advance();
  return stores;
}

const refused = (what: string) => (error: unknown) => {
  assert.ok(isSluiceError(error, 'REGION_MISMATCH'), String(error));
  assert.ok(error.message.startsWith(what), error.message);
  return true;
};

test('an empty data directory becomes a region, also by many at once', async (t) => {
  const path = join(temporaryDirectory(t, 'identity'), 'data');
  const opened = await Promise.all(Array.from({ length: 4 }, () => openStores(path)));
  const owners = await Promise.all(opened.map(({ origin }) => origin.owner.readOwner()));
  assert.equal(new Set(owners.map((owner) => owner?.regionId)).size, 1);
  await openStores(path);
});

test('a lost or unmounted part is named, and not recreated unless told to', async (t) => {
  for (const part of ['state', 'keys', 'origin'] as const) {
    const { data } = await makeRegion(t);
    renameSync(data[part], `${data[part]}.gone`);
    mkdirSync(data[part]);
    await assert.rejects(openStores(data.path), refused(`${part} (${data[part]})`));
    rmSync(data[part], { recursive: true });
    renameSync(`${data[part]}.gone`, data[part]);
    await openStores(data.path);
    rmSync(data[part], { recursive: true });
    await adoptRegion(data.path);
    await openStores(data.path);
  }
});

test('a lost or emptied database is not recreated', async (t) => {
  const { data } = await makeRegion(t);
  const path = join(data.state, 'functions.sqlite');
  truncateSync(path);
  await assert.rejects(openStores(data.path), refused(`${path}: is empty`));
  rmSync(path);
  await assert.rejects(openStores(data.path), refused(`${path}: is gone`));
  await adoptRegion(data.path);
  await openStores(data.path);
});

test('what an older Sluice left that only added images is adopted, and nothing that a function ran', async (t) => {
  for (const pinned of [true, false]) {
    const { data, origin } = await makeRegion(t);
    const root = await origin.activeRoot();
    for (const id of ['a', 'b'])
      await origin.putManifest(root, id, await sealedManifest({ manifestId: id, rootId: root }));
    await origin.pinManifest('a');
    if (pinned) await origin.pinManifest('b');
    for (const part of [data.state, join(data.origin, 'owner')]) {
      rmSync(part, { recursive: true, force: true });
    }
    for (const file of readdirSync(data.keys)) {
      if (file.startsWith('region')) rmSync(join(data.keys, file));
    }
    mkdirSync(data.state);
    if (pinned) await openStores(data.path);
    else await assert.rejects(openStores(data.path), refused(`state (${data.state}): is empty`));
  }
});

test('no second region shares an origin', async (t) => {
  const first = await makeRegion(t);
  const second = await makeRegion(t);
  rmSync(second.data.origin, { recursive: true });
  cpSync(first.data.origin, second.data.origin, { recursive: true });
  const where = `origin (${second.data.origin}): belongs to region`;
  await assert.rejects(openStores(second.data.path), refused(where));
  const third = join(temporaryDirectory(t, 'identity'), 'data');
  mkdirSync(third);
  cpSync(first.data.origin, join(third, 'origin'), { recursive: true });
  await assert.rejects(openStores(third), refused('state ('));
});

test('an old backup of the state is refused, so that nothing newer is collected', async (t) => {
  const { data, identity } = await makeRegion(t);
  const backup = join(temporaryDirectory(t, 'backup'), 'state');
  cpSync(data.state, backup, { recursive: true });
  await identity.advance();
  await openStores(data.path);
  rmSync(data.state, { recursive: true });
  cpSync(backup, data.state, { recursive: true });
  await assert.rejects(openStores(data.path), refused(`${data.state}: is an old backup`));
  await adoptRegion(data.path);
  await openStores(data.path);
});

test('garbage collection needs no keys, and refuses a state that is missing or behind', async (t) => {
  const { data, identity } = await makeRegion(t);
  renameSync(data.keys, `${data.keys}.away`);
  await (await openCollector(data.path)).close();
  const backup = join(temporaryDirectory(t, 'backup'), 'state');
  cpSync(data.state, backup, { recursive: true });
  await identity.advance();
  rmSync(data.state, { recursive: true });
  await assert.rejects(openCollector(data.path), refused(`state (${data.state})`));
  rmSync(data.state, { recursive: true });
  cpSync(backup, data.state, { recursive: true });
  await assert.rejects(openCollector(data.path), refused(`${data.state}: is an old backup`));
});

test('a running region raises its generation every hour', async (t) => {
  const { origin, identity } = await makeRegion(t);
  const clock = new VirtualClock(0);
  const generation = async () => (await origin.owner.readOwner())?.generation ?? 0;
  const before = await generation();
  const stop = await keepGeneration(identity, clock, noLogger);
  assert.equal(await generation(), before + 1);
  await clock.advance(60 * 60_000);
  while ((await generation()) === before + 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await generation(), before + 2);
  stop();
});

test('secrets that are emptied, cut, flipped, lost or readable by others are named at the start', async (t) => {
  const { data } = await makeRegion(t);
  for (const name of ['master.key', 'dedup.secret']) {
    const path = join(data.keys, name);
    const good = readFileSync(path);
    const flipped = Buffer.from(good);
    flipped[7]! ^= 1;
    for (const bytes of [Buffer.alloc(0), good.subarray(1), flipped]) {
      writeFileSync(path, bytes);
      await assert.rejects(openStores(data.path), (error: Error) => error.message.startsWith(path));
    }
    writeFileSync(path, good);
    chmodSync(path, 0o644);
    await assert.rejects(openStores(data.path), { code: 'KEY_DENIED' });
    rmSync(path);
    await assert.rejects(openStores(data.path), { code: 'KEY_NOT_FOUND' });
    writeFileSync(path, good, { mode: 0o600 });
    await openStores(data.path);
  }
});

test('a data directory of a newer Sluice is refused', async (t) => {
  const { data } = await makeRegion(t);
  const { state } = data.regionFiles;
  writeFileSync(state, readFileSync(state, 'utf8').replace('"format":1', '"format":2'));
  const newer = (error: unknown) =>
    isSluiceError(error, 'STORE_CORRUPT') &&
    error.message.startsWith(`${state}: format 2 is newer`);
  await assert.rejects(openStores(data.path), newer);
});
