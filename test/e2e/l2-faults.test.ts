/** What cache nodes may do to a worker's reads: nothing. Real processes on loopback. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KIB, MIB, noLogger, noMeter, SeededRandom, systemClock } from '../../src/base/mod.ts';
import { NodeClient } from '../../src/cache/l2/node-client.ts';
import { Placement } from '../../src/cache/l2/placement.ts';
import { stripeId } from '../../src/cache/l2/stripe-key.ts';
import { l2Cached, type StripeTiming, staticMembership } from '../../src/cache/mod.ts';
import { ErasureCode } from '../../src/erasure/mod.ts';
import { type ChunkRef, nameOf } from '../../src/seal/mod.ts';
import { hostHas } from '../support/host.ts';
import { endAll, type NodeProcess, startNodes, testSecrets } from '../support/l2-nodes.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const CHUNKS = 16;
const NODES = 6;
/** Far above what a busy host's scheduler takes, so that only a node at fault is ever given up. */
const PATIENCE_MS = 8000;
/** What a slow line takes: more than any other read, less than where patience ends. */
const LATE_MS = 3000;

const chunks = new Map<string, Buffer>();
for (let seed = 0; seed < CHUNKS; seed++) {
  const chunk = new SeededRandom(seed).bytes(512 * KIB);
  chunks.set(nameOf(chunk), chunk);
}
const refs: readonly ChunkRef[] = [...chunks.keys()].map((name) => ({ rootId: 'root', name }));

async function startZone(t: TestContext, count = NODES): Promise<NodeProcess[]> {
  const nodes = await startNodes({ directory: temporaryDirectory(t, 'l2'), count });
  t.after(() => endAll(nodes));
  return nodes;
}

interface WorkerOptions {
  readonly m?: number;
  readonly stripeTimeoutMs?: number;
}

/** A worker whose origin counts, and that notes when each stripe came. */
function startWorker(t: TestContext, addresses: readonly string[], options: WorkerOptions = {}) {
  const { m = 1, stripeTimeoutMs = PATIENCE_MS } = options;
  const counts = { origin: 0 };
  const timings: StripeTiming[] = [];
  const origin = {
    get: async ({ name }: ChunkRef) => {
      counts.origin++;
      return chunks.get(name)!;
    },
  };
  const source = l2Cached(origin, {
    membership: staticMembership(addresses),
    code: ErasureCode.create({ k: 4, m }),
    ...{ secrets: testSecrets, clock: systemClock, meter: noMeter, logger: noLogger },
    ...{
      stripeTimeoutMs,
      uploadTimeoutMs: PATIENCE_MS,
      onStripe: (timing: StripeTiming) => timings.push(timing),
    },
  });
  t.after(() => source.close());
  const read = async (ref: ChunkRef) => {
    const startMs = performance.now();
    assert.ok((await source.get(ref)).equals(chunks.get(ref.name)!), 'the right bytes');
    return performance.now() - startMs;
  };
  /** Every chunk once, two at a time; the milliseconds of each. */
  const readAll = async () => {
    const [even, odd] = [0, 1].map((rest) => refs.filter((_, i) => i % 2 === rest));
    const run = async (some: readonly ChunkRef[]) => {
      const took: number[] = [];
      for (const ref of some) took.push(await read(ref));
      return took;
    };
    return (await Promise.all([run(even!), run(odd!)])).flat();
  };
  /** The timings once the last stripe of the last read has come or been given up. */
  const allTimings = async () => {
    const complete = () =>
      timings.length === (4 + m) * new Set(timings.map(({ read }) => read)).size;
    const untilMs = performance.now() + 2 * stripeTimeoutMs;
    while (!complete() && performance.now() < untilMs) await systemClock.sleep(50);
    assert.ok(complete(), 'every stripe that was asked for was answered or given up');
    return timings;
  };
  const fill = async () => {
    await readAll();
    await source.idle();
    counts.origin = 0;
    (await allTimings()).length = 0;
  };
  return { counts, allTimings, readAll, fill, idle: () => source.idle() };
}

const addressesOf = (nodes: readonly NodeProcess[]) => nodes.map((node) => node.address);
const percentile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!;

/** What reads would have taken had they waited for the four data stripes, from the same stripes. */
function fourOfFour(timings: readonly StripeTiming[]): number[] {
  const reads = Map.groupBy(timings, ({ read }) => read);
  return [...reads.values()].map((stripes) =>
    Math.max(...stripes.filter(({ index }) => index < 4).map(({ ms }) => ms)),
  );
}

test('kill -9 of any node in the middle of reads fails none and misses none', async (t) => {
  const nodes = await startZone(t);
  const worker = startWorker(t, addressesOf(nodes));
  await worker.fill();
  for (const node of nodes) {
    const reading = worker.readAll();
    await node.end('SIGKILL');
    await reading;
    await worker.readAll();
    await node.start();
    assert.ok(node.flashStripes > 0, 'it comes back with what its slab holds');
    await worker.readAll();
  }
  assert.equal(worker.counts.origin, 0);
});

test('with m = 2, kill -9 of two nodes at once causes no failures and no misses', async (t) => {
  const nodes = await startZone(t, 7);
  const worker = startWorker(t, addressesOf(nodes), { m: 2 });
  await worker.fill();
  const reading = worker.readAll();
  await Promise.all([nodes[1]!.end('SIGKILL'), nodes[4]!.end('SIGKILL')]);
  await reading;
  await worker.readAll();
  assert.equal(worker.counts.origin, 0);
});

test('a stopped node delays no read; a code of four of four would wait for it', async (t) => {
  const nodes = await startZone(t);
  const worker = startWorker(t, addressesOf(nodes));
  await worker.fill();
  nodes[2]!.signal('SIGSTOP');
  const took = await worker.readAll();
  const p90Ms = percentile(took, 0.9);
  assert.ok(p90Ms < PATIENCE_MS / 2, `p90 is ${p90Ms} ms`);
  assert.equal(worker.counts.origin, 0);
  assert.ok(percentile(fourOfFour(await worker.allTimings()), 0.9) >= PATIENCE_MS * 0.9);
  nodes[2]!.signal('SIGCONT');
  await worker.readAll();
});

/** A node's address behind a line that takes `delayMs` to bring an answer. */
async function slowLine(t: TestContext, port: number, delayMs: number): Promise<string> {
  const server = createServer((client) => {
    const node = connect(port, '127.0.0.1');
    for (const socket of [client, node]) socket.on('error', () => {});
    client.pipe(node);
    node.on('data', (bytes) => setTimeout(() => client.write(bytes), delayMs));
    client.on('close', () => node.destroy());
    node.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a node that answers late does not delay reads', async (t) => {
  const nodes = await startZone(t);
  const addresses = addressesOf(nodes);
  addresses[3] = await slowLine(t, nodes[3]!.port, LATE_MS);
  const worker = startWorker(t, addresses);
  await worker.fill();
  const took = [...(await worker.readAll()), ...(await worker.readAll())];
  assert.equal(worker.counts.origin, 0);
  assert.ok(percentile(took, 0.9) < LATE_MS, `p90 is ${percentile(took, 0.9)} ms`);
  assert.ok(percentile(fourOfFour(await worker.allTimings()), 0.9) >= LATE_MS);
});

test('a node that accepts and never answers counts as absent', async (t) => {
  const nodes = await startZone(t, 5);
  const mute = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  t.after(() => mute.close());
  const muteAddress = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const worker = startWorker(t, [...addressesOf(nodes), muteAddress], { stripeTimeoutMs: LATE_MS });
  await worker.fill();
  const took = await worker.readAll();
  assert.equal(worker.counts.origin, 0, 'the others hold k of every chunk');
  assert.ok(percentile(took, 0.9) < LATE_MS);
});

test('stripes that lie, all of a node, make no read wrong and do not stay', async (t) => {
  const nodes = await startZone(t);
  const addresses = addressesOf(nodes);
  const worker = startWorker(t, addresses);
  await worker.fill();
  const liar = new NodeClient({
    ...{ address: addresses[0]!, secrets: testSecrets, clock: systemClock },
    uploadTimeoutMs: PATIENCE_MS,
  });
  t.after(() => liar.close());
  const placement = new Placement(addresses, 5);
  const lie = new SeededRandom(1234).bytes(128 * KIB);
  for (const { name } of refs) {
    for (let index = 0; index < 5; index++) {
      if (placement.nodeOf(name, index) !== addresses[0]) continue;
      const id = stripeId({ chunkName: name, k: 4, m: 1, index });
      await liar.delete(id);
      assert.ok(await liar.put(id, lie));
    }
  }
  for (let round = 0; round < 3; round++) {
    await worker.readAll();
    await worker.idle();
  }
  assert.equal(worker.counts.origin, 0, 'the true stripes were enough');
});

test('with all nodes gone reads come from the origin, and come back to L2 with the nodes', async (t) => {
  const nodes = await startZone(t, 5);
  const worker = startWorker(t, addressesOf(nodes));
  await worker.fill();
  await Promise.all(nodes.map((node) => node.end('SIGKILL')));
  await worker.readAll();
  assert.equal(worker.counts.origin, CHUNKS);
  await Promise.all(nodes.map((node) => node.start()));
  await worker.readAll();
  await worker.idle();
  worker.counts.origin = 0;
  await worker.readAll();
  assert.equal(worker.counts.origin, 0);
});

test('all nodes are restarted one by one under load and no read fails or misses', async (t) => {
  const nodes = await startZone(t);
  const worker = startWorker(t, addressesOf(nodes));
  await worker.fill();
  let restarting = true;
  let reads = 0;
  const load = (async () => {
    while (restarting) reads += (await worker.readAll()).length;
  })();
  for (const node of nodes) {
    assert.equal(await node.end('SIGTERM'), 0, 'it drains and exits with 0');
    await node.start();
    assert.ok(node.flashStripes > 0);
  }
  restarting = false;
  await load;
  assert.ok(reads > CHUNKS);
  assert.equal(worker.counts.origin, 0);
});

test('a node whose disk is full says so and keeps serving from memory', async (t) => {
  if (!hostHas(t, 'root', 'tool:mount')) return;
  const directory = temporaryDirectory(t, 'l2');
  mkdirSync(join(directory, 'node-0'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', join(directory, 'node-0')]);
  let nodes: NodeProcess[] = [];
  try {
    nodes = await startNodes({ directory, count: 5, memoryBytes: 32 * MIB });
    const worker = startWorker(t, addressesOf(nodes));
    await worker.fill();
    const health = await fetch(`http://${nodes[0]!.address}/healthz`);
    assert.equal(await health.text(), 'degraded\n');
    assert.equal(health.status, 200);
    await worker.readAll();
    assert.equal(worker.counts.origin, 0);
    await nodes[1]!.end('SIGKILL');
    await worker.readAll();
    assert.equal(worker.counts.origin, 0, 'its stripes are needed, and they are there');
  } finally {
    await endAll(nodes);
    execFileSync('umount', [join(directory, 'node-0')]);
  }
});
