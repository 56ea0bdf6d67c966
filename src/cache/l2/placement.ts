import { hash } from 'node:crypto';
import { assert } from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';

/** Shares of the name space that are placed each as one; many more than nodes, so loads are even. */
const PARTITIONS = 4096;
/** How far above the average a node's load may lie. */
const SLACK = 0.25;

/**
 * Which node holds which stripe of which chunk, from the list of nodes alone, so that every worker
 * of a zone decides the same without asking anyone: consistent hashing with bounded loads. Each
 * stripe has its own pseudo-random order of the nodes (rendezvous hashing) and goes to the first
 * that is not full: that has less than its share and a quarter, and no stripe of the same chunk. So
 * what a full node turns away is spread over all others, where the plain rule would hand it to one
 * neighbour and make that overflow too (Chen, Coleman and Shrivastava, "Revisiting Consistent
 * Hashing with Bounded Loads", AAAI'21; ATC'23 section 4). Of the stripes of a chunk the one with
 * the strongest wish chooses first, which keeps the others where they are when a node comes or goes.
 * Pure. The order of `nodes` does not matter.
 */
export class Placement {
  readonly nodes: readonly string[];
  readonly width: number;
  readonly #table: Uint16Array;

  /** `width`: stripes of a chunk, k+m. With fewer nodes than that some hold several of a chunk. */
  constructor(nodes: readonly string[], width: number) {
    this.nodes = [...new Set(nodes)].sort();
    this.width = width;
    assert(this.nodes.length < 2 ** 16, 'a zone has fewer than 65536 cache nodes');
    this.#table = new Uint16Array(this.nodes.length > 0 ? PARTITIONS * width : 0);
    if (this.nodes.length > 0) this.#place();
  }

  /** The node of stripe `index`; undefined when there are no nodes. */
  nodeOf(chunkName: ChunkName, index: number): string | undefined {
    const partition = Number.parseInt(chunkName.slice(0, 8), 16) % PARTITIONS;
    return this.nodes[this.#table[partition * this.width + index] ?? -1];
  }

  #place(): void {
    const { width } = this;
    const nodes = Uint32Array.from(this.nodes, (name) => hash32(name));
    const capacity = Math.ceil(((1 + SLACK) * PARTITIONS * width) / nodes.length);
    const perChunk = Math.ceil(width / nodes.length);
    const loads = new Uint32Array(nodes.length);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const wishes = Array.from({ length: width }, (_, index) =>
        nodes.map((node) => mix(partition, index, node)),
      );
      const inChunk = new Uint8Array(nodes.length);
      const hasRoom = (node: number) => loads[node]! < capacity && inChunk[node]! < perChunk;
      const unplaced = new Set(wishes.keys());
      while (unplaced.size > 0) {
        const { index, node } = strongestWish(wishes, unplaced, hasRoom);
        this.#table[partition * width + index] = node;
        unplaced.delete(index);
        inChunk[node]!++;
        loads[node]!++;
      }
    }
  }
}

function strongestWish(
  wishes: readonly Uint32Array[],
  unplaced: ReadonlySet<number>,
  hasRoom: (node: number) => boolean,
): { index: number; node: number } {
  let best: { index: number; node: number; wish: number } | undefined;
  for (const index of unplaced) {
    const wish = wishes[index]!;
    for (let node = 0; node < wish.length; node++) {
      if (best && wish[node]! <= best.wish) continue;
      if (hasRoom(node)) best = { index, node, wish: wish[node]! };
    }
  }
  assert(best, 'capacities are above the average, so there is room for every stripe');
  return best;
}

const hash32 = (text: string) => hash('sha256', text, 'buffer').readUInt32LE(0);

/** A 32-bit hash of three small integers (MurmurHash3's finaliser over a product of odd constants). */
function mix(a: number, b: number, c: number): number {
  let h =
    Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca77) ^ Math.imul(c + 1, 0xc2b2ae3d);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
