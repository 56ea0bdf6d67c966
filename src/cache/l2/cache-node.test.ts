import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { until } from '../../../test/support/until.ts';
import { KIB, noLogger, noMeter, SeededRandom, systemClock, VirtualClock } from '../../base/mod.ts';
import { CacheNode } from './cache-node.ts';
import { metricsToken, signRequest, verifyRequest } from './request-signature.ts';
import { Slab } from './slab.ts';
import { stripeId } from './stripe-key.ts';
import { StripeStore } from './stripe-store.ts';

const SECRETS = ['the first secret of the zone', 'the second secret of it'] as const;
const STRIPE_BYTES = 4 * KIB;
const key = (index: number) => ({ chunkName: hash('sha256', String(index)), k: 4, m: 1, index: 0 });
const stripeOf = (index: number) => new SeededRandom(index).bytes(STRIPE_BYTES);

async function startNode(
  t: TestContext,
  directory = temporaryDirectory(t, 'node'),
  more: { bodyBytes?: number; connections?: number } = {},
) {
  const node = await CacheNode.start({
    ...{ host: '127.0.0.1', port: 0, directory, stripeBytes: STRIPE_BYTES },
    ...{ memoryBytes: 4 * STRIPE_BYTES, flashBytes: 16 * STRIPE_BYTES },
    ...{ secrets: SECRETS, clock: systemClock, meter: noMeter, logger: noLogger },
    ...{ metricsText: async () => 'numbers\n', ...more },
  });
  t.after(() => node.drain());
  return node;
}

interface Call {
  readonly body?: Buffer;
  readonly headers?: Record<string, string>;
  readonly secret?: string;
  readonly atMs?: number;
}

function signedPut(path: string, body: Buffer): Record<string, string> {
  const bodySha256 = hash('sha256', body);
  return {
    authorization: signRequest(SECRETS, Date.now(), { method: 'PUT', path, bodySha256 }),
    'x-sluice-body': bodySha256,
    'content-length': String(body.length),
  };
}

function call(node: CacheNode, method: string, path: string, options: Call = {}) {
  const { body, secret = SECRETS[0], atMs = Date.now() } = options;
  const signature = signRequest([secret], atMs, { method, path, bodySha256: '' });
  const headers = {
    ...(body ? signedPut(path, body) : { authorization: signature }),
    ...options.headers,
  };
  return new Promise<{ status: number; body: Buffer; retryAfter: string | undefined }>(
    (resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: node.port, method, path, headers });
      sent.on('error', reject);
      sent.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(pieces),
            retryAfter: response.headers['retry-after'],
          }),
        );
      });
      sent.end(body);
    },
  );
}

const pathOf = (index: number) => `/v1/stripes/${stripeId(key(index))}`;

test('a node keeps what it is given, answers 404 for the rest, and forgets on request', async (t) => {
  const node = await startNode(t);
  assert.equal((await call(node, 'GET', pathOf(1))).status, 404);
  assert.equal((await call(node, 'PUT', pathOf(1), { body: stripeOf(1) })).status, 201);
  assert.equal((await call(node, 'PUT', pathOf(1), { body: stripeOf(1) })).status, 200);
  const got = await call(node, 'GET', pathOf(1));
  assert.equal(got.status, 200);
  assert.ok(got.body.equals(stripeOf(1)));
  assert.equal((await call(node, 'DELETE', pathOf(1))).status, 204);
  assert.equal((await call(node, 'GET', pathOf(1))).status, 404);
});

test('nothing is answered without a recent signature by a shared secret', async (t) => {
  const node = await startNode(t);
  const path = pathOf(1);
  await call(node, 'PUT', path, { body: stripeOf(1) });
  const refused: Record<string, Call> = {
    'another secret': { secret: 'a secret from elsewhere' },
    'no header': { headers: { authorization: '' } },
    'an old request': { atMs: Date.now() - 61_000 },
    'one from the future': { atMs: Date.now() + 61_000 },
    'the signature of another path': {
      headers: {
        authorization: signRequest(SECRETS, Date.now(), {
          ...{ method: 'GET', path: pathOf(2), bodySha256: '' },
        }),
      },
    },
  };
  for (const [what, options] of Object.entries(refused)) {
    assert.equal((await call(node, 'GET', path, options)).status, 401, what);
  }
  assert.equal((await call(node, 'GET', path, { secret: SECRETS[1] })).status, 200);
});

test('a body must be the one that was signed, and a whole chunk must match its name', async (t) => {
  const node = await startNode(t);
  const body = stripeOf(1);
  const bodySha256 = hash('sha256', body);
  const other = Buffer.from(body);
  other[0]! ^= 1;
  const headers = signedPut(pathOf(1), body);
  assert.equal((await call(node, 'PUT', pathOf(1), { body: other, headers })).status, 422);
  assert.equal((await call(node, 'GET', pathOf(1))).status, 404);

  const whole = (name: string) => `/v1/stripes/${name}/1+1/0`;
  assert.equal((await call(node, 'PUT', whole(bodySha256), { body })).status, 201);
  const liesAbout = hash('sha256', 'something else');
  assert.equal((await call(node, 'PUT', whole(liesAbout), { body })).status, 422);
});

test('what is not a stripe, too large or unknown is refused by status', async (t) => {
  const node = await startNode(t);
  const large = Buffer.alloc(STRIPE_BYTES + 1);
  assert.equal((await call(node, 'PUT', pathOf(1), { body: large })).status, 413);
  assert.equal((await call(node, 'PUT', '/v1/stripes/../x', { body: stripeOf(1) })).status, 400);
  assert.equal((await call(node, 'POST', pathOf(1))).status, 405);
  assert.equal((await call(node, 'GET', '/elsewhere')).status, 404);
});

test('health is open, metrics take a signature or the token', async (t) => {
  const node = await startNode(t);
  const none = { headers: { authorization: '' } };
  assert.deepEqual((await call(node, 'GET', '/healthz', none)).body.toString(), 'ok\n');
  assert.equal((await call(node, 'GET', '/metrics', none)).status, 401);
  const bearer = { headers: { authorization: `Bearer ${metricsToken(SECRETS[1])}` } };
  assert.equal((await call(node, 'GET', '/metrics', bearer)).body.toString(), 'numbers\n');
  assert.equal((await call(node, 'GET', '/metrics')).status, 200);
});

test('bodies beyond the limit are refused at once with 503 and Retry-After', async (t) => {
  const node = await startNode(t, temporaryDirectory(t, 'node'), { bodyBytes: STRIPE_BYTES });
  await call(node, 'PUT', pathOf(1), { body: stripeOf(1) });
  const slow = request({
    ...{ host: '127.0.0.1', port: node.port, method: 'PUT', path: pathOf(2) },
    headers: signedPut(pathOf(2), stripeOf(2)),
  });
  slow.on('error', () => {});
  slow.write(stripeOf(2).subarray(0, 10));
  const get = () => call(node, 'GET', pathOf(1));
  await until('a refusal beside the slow body', async () => (await get()).status === 503);
  const put = await call(node, 'PUT', pathOf(3), { body: stripeOf(3) });
  for (const refused of [put, await get()]) {
    assert.equal(refused.status, 503);
    assert.equal(refused.retryAfter, '1');
  }
  slow.destroy();
  await until('room again', async () => (await get()).status === 200);
});

test('connections are bounded', async (t) => {
  const node = await startNode(t, temporaryDirectory(t, 'node'), { connections: 20 });
  const sockets = Array.from({ length: 20 }, () => connect(node.port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await assert.rejects(call(node, 'GET', '/healthz'), 'the connection past the last is closed');
  for (const socket of sockets) socket.destroy();
});

test('a restarted node has what its slab held, except what was tampered with', async (t) => {
  const directory = temporaryDirectory(t, 'node');
  const first = await startNode(t, directory);
  for (let i = 0; i < 8; i++) await call(first, 'PUT', pathOf(i), { body: stripeOf(i) });
  await first.drain();

  const slab = join(directory, 'stripes.slab');
  const bytes = await readFile(slab);
  bytes[bytes.indexOf(stripeOf(3).subarray(0, 64))]! ^= 0x80;
  await writeFile(slab, bytes);
  const index = await readFile(join(directory, 'stripes.index'));
  const entryAt = index.indexOf(Buffer.from(key(5).chunkName, 'hex'));
  index[entryAt + 34]! ^= 1;
  await writeFile(join(directory, 'stripes.index'), index);

  const second = await startNode(t, directory);
  assert.equal(second.flashStripes, 7);
  for (let i = 0; i < 8; i++) {
    const { status, body } = await call(second, 'GET', pathOf(i));
    assert.equal(status, i === 3 || i === 5 ? 404 : 200, `stripe ${i}`);
    if (status === 200) assert.ok(body.equals(stripeOf(i)));
  }
  assert.equal((await call(second, 'PUT', pathOf(3), { body: stripeOf(3) })).status, 201);
});

async function openStore(directory: string, clock: VirtualClock, failing: { writes: boolean }) {
  const openSlabFile = async (path: string): Promise<FileHandle> => {
    const file = await open(path, 'a+').then(async (made) => {
      await made.close();
      return await open(path, 'r+');
    });
    const write = file.write.bind(file) as (...args: unknown[]) => Promise<unknown>;
    return Object.assign(file, {
      write: (...args: unknown[]) =>
        failing.writes
          ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))
          : write(...args),
    }) as FileHandle;
  };
  const slotBytes = STRIPE_BYTES;
  const { slab, entries } = await Slab.open({ directory, slotBytes, slotCount: 8, openSlabFile });
  const memoryBytes = 2 * STRIPE_BYTES;
  let writes = 0;
  const write = slab.write.bind(slab);
  slab.write = (...args) => write(...args).finally(() => void writes++);
  const options = { memoryBytes, slab, entries, clock, meter: noMeter, logger: noLogger };
  const written = (count: number) => until(`write ${count} to flash`, () => writes === count);
  return { store: new StripeStore(options), written };
}

test('a node with a full disk serves from memory, and uses flash again when there is room', async (t) => {
  const clock = new VirtualClock(1000);
  const failing = { writes: false };
  const { store, written } = await openStore(temporaryDirectory(t, 'store'), clock, failing);
  t.after(() => store.close());
  failing.writes = true;
  assert.ok(store.put(key(1), stripeOf(1)));
  await written(1);
  assert.ok(store.degraded);
  assert.equal(store.flashStripes, 0);
  assert.ok(store.getFromMemory(stripeId(key(1)))?.equals(stripeOf(1)), 'memory serves on');

  failing.writes = false;
  clock.jump(11_000);
  assert.ok(store.put(key(2), stripeOf(2)));
  await written(2);
  assert.ok(!store.degraded);
  assert.equal(store.flashStripes, 1);
});

test('the tiers stay within their limits, and flash serves what memory has evicted', async (t) => {
  const directory = temporaryDirectory(t, 'store');
  const { store, written } = await openStore(directory, new VirtualClock(), { writes: false });
  t.after(() => store.close());
  for (let i = 0; i < 20; i++) {
    store.put(key(i), stripeOf(i));
    await written(i + 1);
  }
  assert.equal(store.flashStripes, 8);
  const held: number[] = [];
  for (let i = 0; i < 20; i++) {
    const id = stripeId(key(i));
    const stripe = store.getFromMemory(id) ?? (await store.getFromFlash(id));
    if (!stripe) continue;
    assert.ok(stripe.equals(stripeOf(i)));
    held.push(i);
  }
  assert.equal(held.length, 8);
});

test('a signature is of one request: change any part of it and it does not verify', () => {
  const clock = new VirtualClock(1_700_000_000_000);
  const signed = { method: 'PUT', path: pathOf(1), bodySha256: hash('sha256', 'body') };
  const authorization = signRequest(SECRETS, clock.nowMs(), signed);
  assert.ok(verifyRequest(SECRETS, clock, authorization, signed));
  for (const changed of [
    { ...signed, method: 'GET' },
    { ...signed, path: pathOf(2) },
    { ...signed, bodySha256: hash('sha256', 'other') },
  ]) {
    assert.ok(!verifyRequest(SECRETS, clock, authorization, changed));
  }
  clock.jump(60_001);
  assert.ok(!verifyRequest(SECRETS, clock, authorization, signed));
});
