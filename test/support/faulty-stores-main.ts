/**
 * Every kind of store in one directory. Lines on standard input, each answered by one of JSON:
 * `write N` writes one record of that number to each store, and says how each went; `read` says
 * which numbers each has.
 */
import { createInterface } from 'node:readline';
import { toSluiceError } from '../../src/base/mod.ts';
import { sampleFunction } from '../../src/records/samples.fixture.ts';
import { nameOf } from '../../src/seal/mod.ts';
import { type AllStores, openAllStores } from './all-stores.ts';

const accountId = '111111111111';
const objectOf = (n: number) => `objects/${n}`;
const chunkOf = (n: number) => Buffer.alloc(9000, `chunk ${n} `);
const archiveOf = (n: number) => Buffer.alloc(100_000, `archive ${n} `);
const manifestOf = (n: number) => `manifest-${n}`;
const uuidOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const accountOf = (n: number) => String(200_000_000_000 + n);
/** The second account's key is made while the disk fails, and used when it does not any more. */
const keyOwner = (n: number) => accountOf(n === 0 ? 0 : 1);

type Write = (stores: AllStores, n: number) => Promise<unknown>;

const writes: Record<string, Write> = {
  event: ({ queue }, n) =>
    queue.enqueue({
      ...{ accountId, functionName: `f${n}`, requestId: `r-${n}`, traceId: 't' },
      ...{ payload: Buffer.from('{}'), receivedMs: n },
    }),
  function: ({ functions }, n) => functions.insert(sampleFunction({ accountId, name: `f${n}` })),
  layer: ({ layers }, n) =>
    layers.publish({
      ...{ accountId, name: `l${n}`, description: '', sha256: 'a', sizeBytes: 1, unzippedBytes: 1 },
      ...{ compatibleRuntimes: [], compatibleArchitectures: [], createdMs: 0 },
    }),
  mapping: ({ mappings }, n) =>
    mappings.insert({
      ...{
        uuid: uuidOf(n),
        accountId,
        functionName: `f${n}`,
        eventSourceArn: 'arn:aws:sqs:us-east-1:1:q',
      },
      ...{ batchSize: 1, batchingWindowSeconds: 0, reportsItemFailures: false, enabled: true },
      ...{ state: 'Enabled', revision: 1, lastModifiedMs: 0, tags: {} },
    }),
  account: async ({ accounts }, n) => accounts.add(accountOf(n), 'one'),
  archive: ({ archives }, n) => archives.put(accountId, archiveOf(n)),
  login: ({ logins }, n) =>
    logins.login({ accountId: accountOf(n), registry: 'r.example', username: 'u' }, 'password'),
  key: async ({ keys }, n) => {
    const made = await keys.generateDataKey({ accountId: keyOwner(n), manifestId: manifestOf(n) });
    return { keyId: made.keyId, wrapped: made.wrapped.toString('hex') };
  },
  pin: ({ origin }, n) => origin.pinManifest(manifestOf(n)),
  object: async ({ objects }, n) => {
    await objects.putIfAbsent(objectOf(n), chunkOf(n));
    await objects.settle([objectOf(n)]);
  },
};

type Read = (stores: AllStores, n: number, key: string) => Promise<unknown>;

const reads: Record<string, Read> = {
  event: async ({ queue }, n) => {
    const events = await queue.claim(1000, 1000);
    for (const { eventId, receivedMs } of events) claimed.set(receivedMs, eventId);
    return claimed.has(n);
  },
  function: ({ functions }, n) => functions.read({ accountId, name: `f${n}` }),
  layer: ({ layers }, n) => layers.read({ accountId, name: `l${n}` }, 1),
  mapping: ({ mappings }, n) => mappings.read(uuidOf(n)),
  account: async ({ accounts }, n) => accounts.store.hasAccount(accountOf(n)),
  archive: async ({ archives }, n) =>
    (await archives.get(accountId, nameOf(archiveOf(n)))).equals(archiveOf(n)),
  login: async ({ logins }, n) =>
    (await logins.list()).some((login) => login.accountId === accountOf(n)),
  key: ({ keys }, n, key) => {
    const { keyId, wrapped } = JSON.parse(key) as { keyId: string; wrapped: string };
    const of = { accountId: keyOwner(n), manifestId: manifestOf(n) };
    return keys.unwrapDataKey({ keyId, wrapped: Buffer.from(wrapped, 'hex') }, of);
  },
  pin: async ({ origin }, n) => {
    const pins: string[] = [];
    for await (const pin of origin.pinnedManifests()) pins.push(pin);
    return pins.includes(manifestOf(n));
  },
  object: async ({ objects }, n) => (await objects.get(objectOf(n)))?.equals(chunkOf(n)),
};
const claimed = new Map<number, number>();

/** What one store came to: a value, or the error's code and words. */
export type Outcome =
  | { readonly value?: unknown }
  | { readonly code: string; readonly said: string };

async function outcome(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await work() };
  } catch (error) {
    const { code, message } = toSluiceError(error, 'INTERNAL');
    return { code, said: message };
  }
}

async function each(work: (kind: string) => Promise<unknown>): Promise<Record<string, Outcome>> {
  const kinds = Object.keys(writes);
  const outcomes = await Promise.all(
    kinds.map(async (kind) => [kind, await outcome(() => work(kind))] as const),
  );
  return Object.fromEntries(outcomes);
}

async function main([directory = '']: readonly string[]): Promise<void> {
  const opened = await outcome(() => openAllStores(directory));
  if ('code' in opened) {
    process.stdout.write(`${JSON.stringify(opened)}\n`);
    return;
  }
  const stores = opened.value as AllStores;
  process.stdout.write('{}\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, number, key = ''] = line.split(' ');
    const n = Number(number);
    const answer = await each(async (kind) => {
      if (what === 'write') return await writes[kind]?.(stores, n);
      return Boolean(await reads[kind]?.(stores, n, key));
    });
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

await main(process.argv.slice(2));
