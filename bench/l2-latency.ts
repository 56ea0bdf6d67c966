/**
 * A zone of cache nodes as processes on loopback, read by one worker in an open loop: reads begin
 * when they are due, whatever became of those before. Stops by itself.
 */

import { KIB, limits, MIB, noLogger, noMeter, SeededRandom, systemClock } from '../src/base/mod.ts';
import { l2Cached, metricsToken, type StripeTiming, staticMembership } from '../src/cache/mod.ts';
import { ErasureCode } from '../src/erasure/mod.ts';
import { type ChunkRef, type ChunkSource, nameOf } from '../src/seal/mod.ts';
import { type NodeProcess, startNodes, testSecrets } from '../test/support/l2-nodes.ts';
import { processTree } from './support/processes.ts';
import { quantileOf } from './support/statistics.ts';

const NODES = 6;
const CHUNKS = 48;
const [K, M] = [4, 1];
/** The paper's S3 seen from a worker: median 36 ms, p99.9 175 ms; a log-normal with these two. */
const ORIGIN_MEDIAN_MS = 36;
const ORIGIN_SIGMA = Math.log(175 / ORIGIN_MEDIAN_MS) / 3.09;

export interface LoadOptions {
  readonly readsPerSecond: number;
  readonly seconds: number;
}

export interface LatencyRun {
  /** From the request to the verified chunk. */
  readonly getMs: readonly number[];
  /** Of the same reads, before verification: the fourth of five stripes, and the last of four. */
  readonly fourOfFiveMs: readonly number[];
  readonly fourOfFourMs: readonly number[];
  readonly originGets: number;
}

class Origin implements ChunkSource {
  readonly chunks = new Map<string, Buffer>();
  readonly refs: ChunkRef[] = [];
  readonly #random = new SeededRandom(36);
  gets = 0;

  constructor() {
    for (let seed = 0; seed < CHUNKS; seed++) {
      const chunk = new SeededRandom(seed).bytes(512 * KIB);
      this.chunks.set(nameOf(chunk), chunk);
      this.refs.push({ rootId: 'bench', name: nameOf(chunk) });
    }
  }

  async get({ name }: ChunkRef): Promise<Buffer> {
    this.gets++;
    const [a, b] = [1 - this.#random.float(), this.#random.float()];
    const normal = Math.sqrt(-2 * Math.log(a)) * Math.cos(2 * Math.PI * b);
    await systemClock.sleep(ORIGIN_MEDIAN_MS * Math.exp(ORIGIN_SIGMA * normal));
    return this.chunks.get(name)!;
  }
}

/** Reads at exponential intervals; answers how long each took, in ms. */
async function openLoop(
  { readsPerSecond, seconds }: LoadOptions,
  read: (turn: number) => Promise<unknown>,
): Promise<number[]> {
  const random = new SeededRandom(Date.now());
  const took: number[] = [];
  const pending: Promise<void>[] = [];
  const beganMs = performance.now();
  let dueMs = beganMs;
  for (let turn = 0; dueMs < beganMs + seconds * 1000; turn++) {
    dueMs += (-Math.log(1 - random.float()) * 1000) / readsPerSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const startMs = performance.now();
    pending.push(read(turn).then(() => void took.push(performance.now() - startMs)));
  }
  await Promise.all(pending);
  return took;
}

function split(timings: readonly StripeTiming[]) {
  const fourOfFiveMs: number[] = [];
  const fourOfFourMs: number[] = [];
  for (const stripes of Map.groupBy(timings, ({ read }) => read).values()) {
    if (stripes.length !== K + M) continue;
    // A stripe that never came counts with the time after which it was given up.
    const inOrder = stripes.map(({ ms }) => ms).toSorted((a, b) => a - b);
    fourOfFiveMs.push(inOrder[K - 1]!);
    fourOfFourMs.push(Math.max(...stripes.filter(({ index }) => index < K).map(({ ms }) => ms)));
  }
  return { fourOfFiveMs, fourOfFourMs };
}

/** Quantiles of a Prometheus histogram of one method, summed over nodes; linear within a bucket. */
async function serverQuantiles(nodes: readonly NodeProcess[], method: string) {
  const counts = new Map<number, number>();
  for (const node of nodes) {
    const headers = { authorization: `Bearer ${metricsToken(testSecrets[0])}` };
    const text = await (await fetch(`http://${node.address}/metrics`, { headers })).text();
    for (const line of text.split('\n')) {
      const match = /^sluice_l2_node_seconds_bucket\{le="([^"]+)",method="(\w+)"\} (\d+)$/.exec(
        line,
      );
      if (match?.[2] !== method || match[1] === '+Inf') continue;
      const upTo = Number(match[1]);
      counts.set(upTo, (counts.get(upTo) ?? 0) + Number(match[3]));
    }
  }
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  const at = (share: number) => {
    let [below, before] = [0, 0];
    for (const [upTo, count] of buckets) {
      if (count >= share * total) {
        const within = (share * total - before) / Math.max(1, count - before);
        return (below + within * (upTo - below)) * 1e6;
      }
      [below, before] = [upTo, count];
    }
    return Number.NaN;
  };
  return { count: total, p50Us: at(0.5), p99Us: at(0.99), p9999Us: at(0.9999) };
}

export interface LatencyFigures {
  readonly healthy: LatencyRun;
  readonly oneStopped: LatencyRun;
  readonly originMs: readonly number[];
  readonly server: {
    readonly get: Awaited<ReturnType<typeof serverQuantiles>>;
    readonly put: Awaited<ReturnType<typeof serverQuantiles>>;
  };
  /** CPU of the node's process for one stripe, while all nodes were healthy. */
  readonly nodeCpuUsPerGet: number;
  /** Bytes in L2 per byte of chunks, less one. */
  readonly storageOverhead: number;
}

export async function measureLatency(
  directory: string,
  load: LoadOptions,
): Promise<LatencyFigures> {
  const sizes = { memoryBytes: 64 * MIB, flashBytes: 128 * MIB };
  const nodes = await startNodes({ directory, count: NODES, ...sizes });
  const origin = new Origin();
  let timings: StripeTiming[] = [];
  const worker = l2Cached(origin, {
    membership: staticMembership(nodes.map(({ address }) => address)),
    code: ErasureCode.create({ k: K, m: M }),
    ...{ secrets: testSecrets, clock: systemClock, meter: noMeter, logger: noLogger },
    onStripe: (timing) => timings.push(timing),
  });
  const refAt = (turn: number) => origin.refs[(turn * 17) % CHUNKS]!;
  const run = async (): Promise<LatencyRun> => {
    timings = [];
    origin.gets = 0;
    const getMs = await openLoop(load, (turn) => worker.get(refAt(turn)));
    await systemClock.sleep(2 * limits.l2.stripeTimeoutMs);
    return { getMs, ...split(timings), originGets: origin.gets };
  };
  try {
    await openLoop({ readsPerSecond: 40, seconds: 3 }, (turn) => worker.get(refAt(turn)));
    await worker.idle();
    await openLoop({ ...load, seconds: 2 }, (turn) => worker.get(refAt(turn)));
    const stored = await storedBytes(nodes);
    const cpuBefore = cpuSeconds(nodes);
    const healthy = await run();
    const gets = healthy.getMs.length * (K + M);
    const nodeCpuUsPerGet = ((cpuSeconds(nodes) - cpuBefore) * 1e6) / gets;
    const server = {
      get: await serverQuantiles(nodes, 'GET'),
      put: await serverQuantiles(nodes, 'PUT'),
    };
    nodes[0]!.signal('SIGSTOP');
    const oneStopped = await run();
    nodes[0]!.signal('SIGCONT');
    const originMs = await openLoop({ ...load, seconds: 3 }, (turn) => origin.get(refAt(turn)));
    const storageOverhead = stored / (CHUNKS * 512 * KIB) - 1;
    return { healthy, oneStopped, originMs, server, nodeCpuUsPerGet, storageOverhead };
  } finally {
    worker.close();
    await Promise.all(nodes.map((node) => node.end('SIGKILL')));
  }
}

const cpuSeconds = (nodes: readonly NodeProcess[]) =>
  nodes.reduce((sum, { pid }) => sum + (processTree(pid)[0]?.cpuSeconds ?? 0), 0);

async function storedBytes(nodes: readonly NodeProcess[]): Promise<number> {
  let bytes = 0;
  for (const node of nodes) {
    const headers = { authorization: `Bearer ${metricsToken(testSecrets[0])}` };
    const text = await (await fetch(`http://${node.address}/metrics`, { headers })).text();
    bytes += Number(/^sluice_l2_node_bytes\{tier="memory"\} (\d+)$/m.exec(text)?.[1]);
  }
  return bytes;
}

/** The quantiles that the paper gives, in ms. */
export function quantiles(samples: readonly number[]) {
  const at = (share: number) => quantileOf(samples, share);
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), p999: at(0.999) };
}
