import { sampleFunction } from '../../src/records/samples.fixture.ts';
import { nameOf } from '../../src/seal/mod.ts';
import { type AllStores, openAllStores } from './all-stores.ts';

const accountId = '111111111111';
const manifestId = 'manifest-1';
const uuid = '00000000-0000-4000-8000-000000000001';
const archive = Buffer.alloc(100_000, 'an archive ');
const chunk = Buffer.alloc(4096, 'a chunk ');

async function write(stores: AllStores): Promise<unknown> {
  const { queue, functions, layers, mappings, accounts, archives, keys, origin } = stores;
  const event = { accountId, functionName: 'f', requestId: 'r-1', traceId: 't' };
  await queue.enqueue({ ...event, payload: Buffer.from('{}'), receivedMs: 1000 });
  await functions.insert(sampleFunction({ accountId, name: 'f' }));
  await layers.publish({
    ...{ accountId, name: 'l', description: '', sha256: 'a', sizeBytes: 1, unzippedBytes: 1 },
    ...{ compatibleRuntimes: [], compatibleArchitectures: [], createdMs: 0 },
  });
  await mappings.insert({
    ...{ uuid, accountId, functionName: 'f', eventSourceArn: 'arn:aws:sqs:us-east-1:1:q' },
    ...{ batchSize: 1, batchingWindowSeconds: 0, reportsItemFailures: false, enabled: true },
    ...{ state: 'Enabled', revision: 1, lastModifiedMs: 0, tags: {} },
  });
  accounts.add(accountId, 'one');
  await archives.put(accountId, archive);
  const dataKey = await keys.generateDataKey({ accountId, manifestId });
  const rootId = await origin.activeRoot();
  await origin.put({ rootId, name: nameOf(chunk) }, chunk);
  await origin.pinManifest(manifestId);
  return { keyId: dataKey.keyId, wrapped: dataKey.wrapped.toString('hex') };
}

/** What of it is there, by kind. */
async function read(stores: AllStores, said: { keyId: string; wrapped: string }): Promise<object> {
  const { queue, functions, layers, mappings, accounts, archives, keys, origin } = stores;
  const has = (work: Promise<unknown>) =>
    work.then(
      (value) => value !== undefined,
      () => false,
    );
  const wrapped = { keyId: said.keyId, wrapped: Buffer.from(said.wrapped, 'hex') };
  const pins: string[] = [];
  for await (const pin of origin.pinnedManifests()) pins.push(pin);
  return {
    event: (await queue.stats()).events === 1,
    function: await has(functions.read({ accountId, name: 'f' })),
    layer: await has(layers.read({ accountId, name: 'l' }, 1)),
    mapping: await has(mappings.read(uuid)),
    account: accounts.store.listAccounts().some((each) => each.accountId === accountId),
    archive: (await archives.get(accountId, nameOf(archive))).equals(archive),
    key: await has(keys.unwrapDataKey(wrapped, { accountId, manifestId })),
    pin: pins.includes(manifestId),
  };
}

/** Writes and then stays until it is killed: closing a store would make up for what it left out. */
async function main([what, directory = '', said = '{}']: readonly string[]): Promise<void> {
  const stores = await openAllStores(directory);
  if (what === 'write') {
    console.log(JSON.stringify(await write(stores)));
    setInterval(() => {}, 60_000);
  } else {
    console.log(JSON.stringify(await read(stores, JSON.parse(said))));
    process.exit(0);
  }
}

await main(process.argv.slice(2));
