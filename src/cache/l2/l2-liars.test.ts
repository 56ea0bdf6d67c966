import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { KIB, SeededRandom, systemClock } from '../../base/mod.ts';
import { ErasureCode } from '../../erasure/mod.ts';
import { type ChunkRef, nameOf } from '../../seal/mod.ts';
import type { CacheNode } from './cache-node.ts';
import { findHonestChunk } from './honest-chunk.ts';
import { addressOf, CountingOrigin, SECRETS, startNodes, startWorker } from './l2.fixture.ts';
import { NodeClient } from './node-client.ts';
import { Placement } from './placement.ts';
import { stripeId } from './stripe-key.ts';

async function putLie(nodes: readonly string[], ref: ChunkRef, m: number, index: number) {
  const address = new Placement(nodes, 4 + m).nodeOf(ref.name, index)!;
  const client = new NodeClient({
    address,
    secrets: SECRETS,
    clock: systemClock,
    uploadTimeoutMs: 20_000,
  });
  const id = stripeId({ chunkName: ref.name, k: 4, m, index });
  await client.delete(id);
  const lie = new SeededRandom(99).bytes(128 * KIB);
  assert.ok(await client.put(id, lie));
  return {
    read: async () => {
      const target = Buffer.alloc(128 * KIB);
      const answer = await new Promise((resolve) => client.get(id, target, 20_000, resolve));
      if (answer !== 'hit') return answer;
      return target.equals(lie) ? 'a lie' : nameOf(target);
    },
    close: () => client.close(),
  };
}

/** A line to a node whose answers can be held back. */
async function line(t: TestContext, node: CacheNode) {
  const delay = { ms: 0 };
  const server = createServer((client) => {
    const upstream = connect(node.port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream);
    upstream.on('data', (bytes) => setTimeout(() => client.write(bytes), delay.ms));
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, delay };
}

test('a lying stripe is found and replaced by the true one', async (t) => {
  for (const [m, index] of [
    [1, 0],
    [1, 4],
    [2, 3],
  ] as const) {
    const lines = await Promise.all((await startNodes(t, 6)).map((node) => line(t, node)));
    const nodes = lines.map(({ address }) => address);
    const origin = new CountingOrigin();
    const ref = origin.add(7);
    const chunk = origin.chunks.get(ref.name)!;
    const worker = startWorker(t, origin, { nodes, m });
    await worker.get(ref);
    await worker.idle();
    const liar = await putLie(nodes, ref, m, index);
    t.after(() => liar.close());
    // m honest stripes come late, so that the lie is among the first k.
    const placement = new Placement(nodes, 4 + m);
    for (const late of [1, 2].slice(0, m)) {
      const address = placement.nodeOf(ref.name, late);
      lines.find((each) => each.address === address)!.delay.ms = 300;
    }
    assert.ok((await worker.get(ref)).equals(chunk));
    assert.equal(origin.gets, 1, 'the others were enough');
    await worker.idle();
    const truth = ErasureCode.create({ k: 4, m }).encode(chunk)[index]!;
    assert.equal(await liar.read(), nameOf(truth));
  }
});

test('more liars than parities: the origin decides, and each of them is replaced', async (t) => {
  const nodes = (await startNodes(t, 5)).map(addressOf);
  const origin = new CountingOrigin();
  const ref = origin.add(11);
  const worker = startWorker(t, origin, { nodes });
  await worker.get(ref);
  await worker.idle();
  const liars = [await putLie(nodes, ref, 1, 1), await putLie(nodes, ref, 1, 2)];
  t.after(() => {
    for (const liar of liars) liar.close();
  });
  assert.ok((await worker.get(ref)).equals(origin.chunks.get(ref.name)!));
  assert.equal(origin.gets, 2);
  await worker.idle();
  for (const liar of liars) assert.notEqual(await liar.read(), 'a lie');
  await worker.get(ref);
  assert.equal(origin.gets, 2);
});

test('up to m liars among all stripes are always found', () => {
  const setting = fc
    .record({ k: fc.integer({ min: 1, max: 6 }), m: fc.integer({ min: 1, max: 3 }) })
    .chain(({ k, m }) => {
      const indexes = Array.from({ length: k + m }, (_, index) => index);
      // With all k+m at hand and l of them lying, k honest ones are left while l ≤ m.
      return fc.record({
        ...{ k: fc.constant(k), m: fc.constant(m), seed: fc.integer() },
        liars: fc.subarray(indexes, { maxLength: m }),
      });
    });
  fc.assert(
    fc.property(setting, ({ k, m, seed, liars }) => {
      const code = ErasureCode.create({ k, m, chunkSizeBytes: 777 });
      const chunk = new SeededRandom(seed).bytes(777);
      const name = nameOf(chunk);
      const stripes = code.encode(chunk).map((stripe, index) => {
        const copy = Buffer.from(stripe);
        if (liars.includes(index)) copy[0]! ^= 0xff;
        return copy;
      });
      const found = findHonestChunk(code, stripes, (bytes) => nameOf(bytes) === name, 1000);
      assert.ok(found);
      assert.ok(found.chunk.equals(chunk));
      assert.deepEqual(found.liars, liars);
    }),
    { numRuns: propertyRuns(200) },
  );
});

test('a stripe that a node lost comes back, though it says so after the read has ended', async (t) => {
  const running = await startNodes(t, 6);
  const [first, ...others] = running;
  const { address, delay } = await line(t, first!);
  const nodes = [address, ...others.map(addressOf)];
  const origin = new CountingOrigin();
  const worker = startWorker(t, origin, { nodes });
  const placement = new Placement(nodes, 5);
  const placeOf = (ref: ChunkRef) =>
    [0, 1, 2, 3, 4].findIndex((index) => placement.nodeOf(ref.name, index) === address);
  const refs = Array.from({ length: 8 }, (_, seed) => origin.add(seed));
  const ref = refs.find((each) => placeOf(each) >= 0);
  assert.ok(ref, 'the first node has a stripe of one of them');
  await worker.get(ref);
  await worker.idle();
  const client = new NodeClient({
    ...{ address, secrets: SECRETS, clock: systemClock, uploadTimeoutMs: 20_000 },
  });
  t.after(() => client.close());
  const id = stripeId({ chunkName: ref.name, k: 4, m: 1, index: placeOf(ref) });
  assert.ok(await client.delete(id));
  delay.ms = 300;
  await worker.get(ref);
  await worker.idle();
  assert.equal(origin.gets, 1);
  const target = Buffer.alloc(128 * KIB);
  const answer = await new Promise((resolve) => client.get(id, target, 20_000, resolve));
  assert.equal(answer, 'hit');
});
