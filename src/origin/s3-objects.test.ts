import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { type S3Credential, S3Server } from '../../test/support/s3-server.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { nameOf } from '../seal/mod.ts';
import { retryingObjects, s3Origin } from './mod.ts';
import { objectStoreConformance } from './object-store.conformance.ts';
import { originConformance } from './origin.conformance.ts';
import { collect, sealedManifest } from './origin.fixture.ts';
import { connectS3, S3Objects } from './s3-objects.ts';

const credential: S3Credential = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const options = { clock: systemClock, random: systemRandom };

async function serve(t: TestContext, credentials = [credential]) {
  const server = new S3Server(credentials);
  const endpoint = await server.listen();
  t.after(() => server.close());
  const locate = (as: S3Credential = credential) => {
    const place = { bucket: server.bucket, prefix: 'p/', region: 'us-east-1', endpoint };
    return { ...place, credentials: as };
  };
  const objects = (as?: S3Credential) => {
    const store = new S3Objects(locate(as), systemClock);
    t.after(() => store.close());
    return store;
  };
  return { server, locate, objects };
}

objectStoreConformance('S3 objects', async (t) => (await serve(t)).objects());
originConformance('S3 origin', async (t) => s3Origin((await serve(t)).locate(), options));

test('S3: a wrong secret and an unknown key id are refused with an error that says so', async (t) => {
  const { objects, server } = await serve(t);
  const wrong = { ...credential, secretAccessKey: 'wrong' };
  await assert.rejects(objects(wrong).putIfAbsent('a', Buffer.from('x')), {
    code: 'ACCESS_DENIED',
  });
  const unknown = { ...credential, accessKeyId: 'AKIAOTHER' };
  await assert.rejects(objects(unknown).get('a'), { code: 'ACCESS_DENIED' });
  assert.equal(server.objects.size, 0);
});

test('S3: passing failures are retried for as long as the caller has patience', async (t) => {
  const { objects, server } = await serve(t);
  const store = retryingObjects(objects(), systemClock, systemRandom);
  const faults = [{ status: 503 }, { hangUp: true }, { cutShort: true }];
  server.fault = () => faults.shift();
  await store.putIfAbsent('a', Buffer.from('body'));
  assert.equal(String(await store.get('a')), 'body');
  assert.equal(faults.length, 0);
  server.fault = () => ({ status: 500 });
  const before = server.requests.length;
  const hasty = retryingObjects(objects(), systemClock, systemRandom, 500);
  await assert.rejects(hasty.get('a'), { code: 'ORIGIN_UNAVAILABLE' });
  assert.ok(server.requests.length - before > 1);
});

test('S3: a put whose answer was lost counts once', async (t) => {
  const { objects, server } = await serve(t);
  const faults = [{ status: 500, late: true }];
  server.fault = () => faults.shift();
  const store = retryingObjects(objects(), systemClock, systemRandom);
  assert.equal(await store.putIfAbsent('a', Buffer.from('body')), 'present');
  assert.equal(String(await store.get('a')), 'body');
});

test('S3: a long list that breaks off continues where it stopped', async (t) => {
  const { objects, server } = await serve(t);
  for (let i = 0; i < 2500; i++) server.objects.set(`p/k/${10_000 + i}`, Buffer.from('x'));
  let lists = 0;
  server.fault = () => (++lists === 2 ? { hangUp: true } : undefined);
  const store = retryingObjects(objects(), systemClock, systemRandom);
  const keys = await collect(store.list('k/'));
  assert.deepEqual(keys, [...server.objects.keys()].map((key) => key.slice(2)).sort());
  assert.equal(lists, 4);
});

test('S3: bytes corrupted on their way are asked for again, corrupt at rest are refused', async (t) => {
  const { server, locate } = await serve(t);
  const origin = await s3Origin(locate(), options);
  const bytes = randomBytes(100_000);
  const ref = { rootId: await origin.activeRoot(), name: nameOf(bytes) };
  await origin.put(ref, bytes);
  let corruptGets = 1;
  server.fault = ({ key }) =>
    key.includes(ref.name) && corruptGets-- > 0 ? { corrupt: true } : undefined;
  assert.deepEqual(await origin.get(ref), bytes);
  corruptGets = Number.POSITIVE_INFINITY;
  const data = { rootId: ref.rootId, chunk: ref.name };
  await assert.rejects(origin.get(ref), { code: 'CHUNK_CORRUPT', data });
});

test('S3: a slow answer can be given up', async (t) => {
  const { objects, server } = await serve(t);
  await objects().putIfAbsent('a', Buffer.from('x'));
  server.fault = () => ({ latencyMs: 5000 });
  const reason = new Error('enough');
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(objects().get('a', controller.signal), reason);
});

test('S3: a flattener whose credential may only put chunks can flatten', async (t) => {
  const putOnly: S3Credential = {
    accessKeyId: 'AKIAPUT',
    secretAccessKey: 'put',
    allows: (action, key) => action === 'put' || (action === 'list' && key === ''),
  };
  const { locate } = await serve(t, [credential, putOnly]);
  await (await s3Origin(locate(), options)).activeRoot();
  const origin = await s3Origin(locate(putOnly), options);
  const bytes = randomBytes(1000);
  const ref = { rootId: await origin.activeRoot(), name: nameOf(bytes) };
  assert.equal(await origin.put(ref, bytes), 'stored');
  assert.equal(await origin.put(ref, bytes), 'present');
  await assert.rejects(origin.get(ref), { code: 'ACCESS_DENIED' });
  assert.deepEqual(await (await s3Origin(locate(), options)).get(ref), bytes);
});

test('S3: a flattener whose root was retired under it says so, though it may not delete', async (t) => {
  const putOnly: S3Credential = {
    accessKeyId: 'AKIAPUT',
    secretAccessKey: 'put',
    allows: (action) => action === 'put' || action === 'list',
  };
  const { locate, server } = await serve(t, [credential, putOnly]);
  const region = await s3Origin(locate(), options);
  const rootId = await region.activeRoot();
  const flattener = await s3Origin(locate(putOnly), options);
  const bytes = await sealedManifest({ manifestId: 'm-1', rootId });
  // Retired by another process, in the moment before the manifest is put.
  server.fault = ({ action, key }) => {
    const marker = `p/state/${rootId}/retired`;
    if (action === 'put' && key.endsWith('m-1')) server.objects.set(marker, Buffer.from('{}'));
    return undefined;
  };
  await assert.rejects(flattener.putManifest(rootId, 'm-1', bytes), { code: 'ROOT_READ_ONLY' });
});

test('S3: a bucket that does not exist is named', async (t) => {
  const { locate } = await serve(t);
  const origin = await s3Origin({ ...locate(), bucket: 'another' }, options);
  await assert.rejects(origin.activeRoot(), { code: 'CONFIG_INVALID' });
});

test('S3: a request that is taken and never answered is given up', async (t) => {
  const { server, locate } = await serve(t);
  server.fault = () => ({ silent: true });
  const client = connectS3(locate(), { connectMs: 1000, requestMs: 100, connections: 2 });
  t.after(() => client.destroy());
  const put = new PutObjectCommand({ Bucket: server.bucket, Key: 'p/a', Body: Buffer.from('x') });
  await assert.rejects(client.send(put), { name: 'TimeoutError' });
});

test('S3: an answer that does not say how long it is comes whole', async (t) => {
  const { locate } = await serve(t);
  const parts = Array.from({ length: 40 }, (_, i) => Buffer.alloc(1000 + i, i));
  const server = createServer((_, response) => {
    const send = (next = 0) => {
      const part = parts[next];
      if (part) response.write(part, () => send(next + 1));
      else response.end();
    };
    send();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const store = new S3Objects({ ...locate(), endpoint: `http://127.0.0.1:${port}` }, systemClock);
  t.after(() => store.close());
  assert.deepEqual(await store.get('a'), Buffer.concat(parts));
});
