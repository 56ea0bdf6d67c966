import { type AccessLog, chunksOf } from './access-log.ts';
import type { ShownDevice } from './device-table.ts';
import type { MissTable } from './miss-table.ts';
import { Prefetcher, type PrefetchTarget } from './prefetcher.ts';

/**
 * Chunks that are fetched before anybody reads them: a start pack's blocks, those of a replayed
 * access log, and without either, the chunk after each that is read in order.
 */
export class AheadFetcher {
  readonly #misses: MissTable<ShownDevice>;
  readonly #chunksMax: number;
  /** Who asked for the chunk that is to come into a slot. */
  readonly #bySlot = new Map<number, Prefetcher>();
  readonly #byDevice = new Map<ShownDevice, Prefetcher>();
  readonly #replaying = new WeakSet<ShownDevice>();

  /** `chunksMax`: how many one replay may fetch, so that its end does not push out its start. */
  constructor(misses: MissTable<ShownDevice>, chunksMax: number) {
    this.#misses = misses;
    this.#chunksMax = chunksMax;
  }

  /** A log is not needed where there is a pack, which was made of one. */
  replay(device: ShownDevice, log: AccessLog | undefined): void {
    const { chunkCount } = device.disk.chunks;
    const packed = device.disk.pack?.blockCount ?? 0;
    const ofPack = Uint32Array.from({ length: packed }, (_, index) => chunkCount + index);
    const chunks = packed > 0 || !log ? ofPack : chunksOf(log, chunkCount);
    const misses = this.#misses;
    const target: PrefetchTarget = {
      get demand() {
        return misses.demand;
      },
      prefetch: (chunk) => {
        const asked = this.#ask(device, chunk);
        if (typeof asked !== 'number') return asked;
        this.#bySlot.set(asked, prefetcher);
        return 'asked';
      },
    };
    const prefetcher = new Prefetcher(target, chunks, this.#chunksMax, packed);
    this.#byDevice.set(device, prefetcher);
    this.#replaying.add(device);
    prefetcher.advance();
  }

  /** Goes on where a device reads in order; a log knows better, if there is one. */
  follow(device: ShownDevice): void {
    const next = device.disk.chunks.takeStreamed() + 1;
    if (next === 0 || next >= device.disk.chunks.chunkCount || this.#replaying.has(device)) return;
    this.#ask(device, next);
  }

  /** What was to come into a slot has come, or never will. */
  settled(slot: number): void {
    const prefetcher = this.#bySlot.get(slot);
    this.#bySlot.delete(slot);
    prefetcher?.settled();
    for (const [device, each] of this.#byDevice) {
      if (each.done) this.#byDevice.delete(device);
      else each.advance();
    }
  }

  stop(device: ShownDevice): void {
    this.#byDevice.get(device)?.stop();
    this.#byDevice.delete(device);
  }

  /** The slot that the chunk is to come into, if it was asked for. */
  #ask(device: ShownDevice, chunk: number): number | 'present' | 'full' {
    const { chunks } = device.disk;
    const ofPack = chunk >= chunks.chunkCount;
    if (ofPack && !device.disk.pack) return 'present';
    if (!ofPack && chunks.isHole(chunk)) return 'present';
    const slot = this.#misses.prefetch(device, device.disk.chunkName(chunk));
    if (typeof slot === 'number' && !ofPack) chunks.expect(chunk);
    return slot;
  }
}
