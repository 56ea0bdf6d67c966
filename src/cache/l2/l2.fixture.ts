import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { KIB, MIB, noLogger, noMeter, SeededRandom, systemClock } from '../../base/mod.ts';
import { ErasureCode } from '../../erasure/mod.ts';
import { type ChunkRef, type ChunkSource, nameOf } from '../../seal/mod.ts';
import { CacheNode } from './cache-node.ts';
import { l2Cached } from './l2-cached.ts';
import { staticMembership } from './membership.ts';

export const SECRETS = ['the secret of this test zone'] as const;

export async function startNodes(t: TestContext, count: number): Promise<CacheNode[]> {
  const nodes = await Promise.all(
    Array.from({ length: count }, () =>
      CacheNode.start({
        ...{ host: '127.0.0.1', port: 0, directory: temporaryDirectory(t, 'node') },
        ...{ stripeBytes: 256 * KIB, memoryBytes: 8 * MIB, flashBytes: 32 * MIB },
        ...{ secrets: SECRETS, clock: systemClock, meter: noMeter, logger: noLogger },
        metricsText: async () => '',
      }),
    ),
  );
  t.after(() => Promise.all(nodes.map((node) => node.drain().catch(() => {}))));
  return nodes;
}

export const addressOf = (node: CacheNode) => `127.0.0.1:${node.port}`;

/** Chunks of a fixed seed each, counting how often each is asked for. */
export class CountingOrigin implements ChunkSource {
  readonly chunks = new Map<string, Buffer>();
  gets = 0;

  add(seed: number): ChunkRef {
    const chunk = new SeededRandom(seed).bytes(512 * KIB);
    const name = nameOf(chunk);
    this.chunks.set(name, chunk);
    return { rootId: 'root', name };
  }

  async get(ref: ChunkRef): Promise<Buffer> {
    this.gets++;
    return this.chunks.get(ref.name)!;
  }
}

export interface WorkerOptions {
  readonly nodes: readonly string[];
  readonly k?: number;
  readonly m?: number;
}

export function startWorker(t: TestContext, origin: ChunkSource, options: WorkerOptions) {
  const { nodes, k = 4, m = 1 } = options;
  const worker = l2Cached(origin, {
    membership: staticMembership(nodes),
    code: ErasureCode.create({ k, m }),
    // These tests are of what is found, on hosts however busy.
    ...{ stripeTimeoutMs: 20_000, uploadTimeoutMs: 20_000 },
    ...{ secrets: SECRETS, clock: systemClock, meter: noMeter, logger: noLogger },
  });
  t.after(() => worker.close());
  return worker;
}
