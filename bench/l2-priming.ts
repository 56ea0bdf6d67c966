/**
 * The first hundred starts of a new image on ten workers, with L2 primed when the image was added
 * and without: the share of L2 reads that were hits (the paper leaves it as future work).
 */
import { KIB, MIB, noLogger, noMeter, SeededRandom, systemClock } from '../src/base/mod.ts';
import { type L2Source, l2Cached, staticMembership } from '../src/cache/mod.ts';
import { ErasureCode } from '../src/erasure/mod.ts';
import { type ChunkRef, nameOf } from '../src/seal/mod.ts';
import { type NodeProcess, startNodes, testSecrets } from '../test/support/l2-nodes.ts';

const NODES = 6;
const WORKERS = 10;
const STARTS = 100;
const AT_ONCE = 10;
const IMAGE_CHUNKS = 40;
/** A start touches most of what any other start touches, and some more. */
const CHUNKS_PER_START = 16;
const COMMON_CHUNKS = 12;

export interface PrimingFigures {
  readonly primed: boolean;
  readonly l2Reads: number;
  readonly originGets: number;
  readonly hitShare: number;
}

class Fleet {
  readonly workers: readonly { l2: L2Source; l1: Map<string, Promise<Buffer>> }[];
  originGets = 0;
  l2Reads = 0;

  constructor(nodes: readonly NodeProcess[], chunks: ReadonlyMap<string, Buffer>) {
    const origin = {
      get: async ({ name }: ChunkRef) => {
        this.originGets++;
        await systemClock.sleep(36);
        return chunks.get(name)!;
      },
    };
    this.workers = Array.from({ length: WORKERS }, () => ({
      l1: new Map<string, Promise<Buffer>>(),
      l2: l2Cached(origin, {
        membership: staticMembership(nodes.map(({ address }) => address)),
        code: ErasureCode.create({ k: 4, m: 1 }),
        ...{ secrets: testSecrets, clock: systemClock, meter: noMeter, logger: noLogger },
      }),
    }));
  }

  async start(turn: number, refs: readonly ChunkRef[], random: SeededRandom): Promise<void> {
    const { l1, l2 } = this.workers[turn % WORKERS]!;
    for (let i = 0; i < CHUNKS_PER_START; i++) {
      const others = refs.length - COMMON_CHUNKS;
      const ref =
        refs[i < COMMON_CHUNKS ? i : COMMON_CHUNKS + Math.floor(random.float() * others)]!;
      if (!l1.has(ref.name)) {
        this.l2Reads++;
        l1.set(ref.name, l2.get(ref));
      }
      await l1.get(ref.name);
    }
  }

  close(): void {
    for (const { l2 } of this.workers) l2.close();
  }
}

async function firstStarts(
  nodes: readonly NodeProcess[],
  primed: boolean,
): Promise<PrimingFigures> {
  const chunks = new Map<string, Buffer>();
  for (let i = 0; i < IMAGE_CHUNKS; i++) {
    const chunk = new SeededRandom(i + (primed ? 1000 : 2000)).bytes(512 * KIB);
    chunks.set(nameOf(chunk), chunk);
  }
  const refs = [...chunks.keys()].map((name) => ({ rootId: 'bench', name }));
  const fleet = new Fleet(nodes, chunks);
  try {
    if (primed) {
      for (const ref of refs) await fleet.workers[0]!.l2.prime(ref, chunks.get(ref.name)!);
    }
    const random = new SeededRandom(5);
    for (let from = 0; from < STARTS; from += AT_ONCE) {
      const turns = Array.from({ length: AT_ONCE }, (_, i) => from + i);
      await Promise.all(turns.map((turn) => fleet.start(turn, refs, random)));
    }
    const { l2Reads, originGets } = fleet;
    return { primed, l2Reads, originGets, hitShare: 1 - originGets / l2Reads };
  } finally {
    fleet.close();
  }
}

export async function measurePriming(directory: string): Promise<PrimingFigures[]> {
  const sizes = { memoryBytes: 64 * MIB, flashBytes: 128 * MIB };
  const nodes = await startNodes({ directory, count: NODES, ...sizes });
  try {
    return [await firstStarts(nodes, false), await firstStarts(nodes, true)];
  } finally {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')));
  }
}
