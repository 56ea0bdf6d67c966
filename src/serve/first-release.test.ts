import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { Accounts } from '../accounts/mod.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { ensureDataDirectory } from '../config/mod.ts';
import { SqliteEventQueue } from '../queue/mod.ts';
import { SqliteEventSourceMappings } from '../records/mod.ts';
import { requireFileKinds } from './file-kinds.ts';
import { openFunctions, openStores } from './stores.ts';
import { openZipSupport } from './zip-support.ts';

/** Written by the first Sluice that had all its stores, which knew no region ids; without chunks. */
const archive = fileURLToPath(
  new URL('../../test/support/fixtures/first-release.tar.gz', import.meta.url),
);
const accountId = '000000000000';

test('a data directory of the first release is opened with all that it holds', async (t) => {
  const path = temporaryDirectory(t, 'first-release');
  execFileSync('tar', ['xzf', archive, '-C', path]);
  const data = ensureDataDirectory(path);
  requireFileKinds(data);
  const stores = await openStores(path);
  const unreadable = (record: string) => assert.fail(`${record} is damaged`);
  const functions = openFunctions(data);
  const [record, ...others] = await functions.list(accountId, undefined, 10);
  assert.deepEqual([record?.name, others.length], ['f', 0]);
  assert.deepEqual(Object.keys(record?.aliases ?? {}), ['live']);
  assert.equal((await functions.readVersion({ accountId, name: 'f' }, 1))?.version, 1);
  await functions.close();
  const zip = await openZipSupport(stores);
  const [layer] = await zip.layers.list(accountId, undefined, 10);
  assert.deepEqual([layer?.name, layer?.version], ['l', 1]);
  assert.ok((await zip.archive.get(accountId, layer?.sha256 ?? '')).length > 0);
  await zip.layers.close();
  const accounts = Accounts.open(data, systemClock, systemRandom, unreadable);
  assert.equal(accounts.store.listKeys(accountId).length, 1);
  accounts.close();
  const queue = await SqliteEventQueue.open({ path: join(data.state, 'events.sqlite') });
  assert.equal((await queue.stats()).events, 0);
  await queue.close();
  const mappings = SqliteEventSourceMappings.open(join(data.state, 'mappings.sqlite'));
  assert.deepEqual(await mappings.all(), []);
  await mappings.close();
  const [image] = await stores.images.list();
  assert.equal(image?.account, accountId);
});
