import { type Counter, isSluiceError, limits, type Meter, SluiceError } from '../base/mod.ts';
import { type ChunkName, readManifestHeader } from '../seal/mod.ts';
import type { CollectedOrigin } from './collected-origin.ts';
import type { Inventory } from './inventory.ts';

export interface MigrationProgress {
  readonly manifestsDone: number;
  readonly manifestsTotal: number;
  readonly chunksCopied: number;
  /** Chunks that were in the new root already, verified there. */
  readonly chunksPresent: number;
  readonly bytesCopied: number;
}

export interface MigrationReport extends MigrationProgress {
  /** Manifests that were copied by this run. */
  readonly manifestsCopied: number;
}

/**
 * Copies live manifests from roots that are retired or expired into active ones, chunks first, as
 * ciphertext, each read back and checked before the manifest appears. It may stop anywhere: what
 * was copied stays, what was not is found again.
 */
export class Migration {
  readonly #origin: CollectedOrigin;
  readonly #onProgress: (progress: MigrationProgress) => void;
  readonly #namesMax: number;
  readonly #copied: Counter;
  readonly #bytes: Counter;
  /** `root/name` of chunks known to be whole in an active root. */
  readonly #known = new Set<string>();
  #report = {
    manifestsDone: 0,
    manifestsTotal: 0,
    manifestsCopied: 0,
    chunksCopied: 0,
    chunksPresent: 0,
    bytesCopied: 0,
  };

  constructor(
    origin: CollectedOrigin,
    meter: Meter,
    onProgress: (progress: MigrationProgress) => void,
    namesMax: number = limits.gc.namesRemembered,
  ) {
    this.#origin = origin;
    this.#onProgress = onProgress;
    this.#namesMax = namesMax;
    this.#copied = meter.counter(
      'sluice_gc_copied_chunks_total',
      'Chunks copied from old roots into active ones.',
    );
    this.#bytes = meter.counter(
      'sluice_gc_copied_bytes_total',
      'Bytes of chunks copied from old roots into active ones.',
    );
  }

  /** `recheck` also verifies, and repairs, the chunks of manifests that were copied before. */
  async run(inventory: Inventory, recheck: boolean): Promise<MigrationReport> {
    const targets = new Map<string, Set<string>>();
    const old = inventory.roots.filter(({ state }) => state === 'retired' || state === 'expired');
    const ids = new Set(old.flatMap(({ rootId }) => inventory.liveIn(rootId)));
    this.#report.manifestsTotal = ids.size;
    for (const manifestId of ids) {
      const sources = inventory.holders(manifestId, 'retired', 'expired');
      const [present] = inventory.holders(manifestId, 'active');
      const target = present ?? (await this.#copyFromAny(sources, manifestId));
      if (present && recheck) await this.#copyChunksOf(sources, present, manifestId);
      for (const source of sources) {
        targets.set(source, (targets.get(source) ?? new Set()).add(target));
      }
      this.#report.manifestsDone++;
      this.#onProgress(this.#report);
    }
    for (const [source, roots] of targets) {
      for (const target of roots) await this.#origin.markMigrated(source, target);
    }
    return this.#report;
  }

  /** Answers the root that the manifest went to. */
  async #copyFromAny(sources: readonly string[], manifestId: string): Promise<string> {
    const bytes = await this.#read(sources, manifestId);
    const target = await this.#origin.activeRoot(readManifestHeader(bytes).accountId);
    await this.#copyChunks(sources, target, bytes);
    await this.#origin.putManifest(target, manifestId, bytes);
    await this.#copyPack(sources, target, manifestId);
    this.#report.manifestsCopied++;
    return target;
  }

  /** A pack that lacks a chunk stays behind: it only saves time, and is made anew. */
  async #copyPack(sources: readonly string[], target: string, manifestId: string): Promise<void> {
    for (const source of sources) {
      const bytes = await this.#origin.getPack(source, manifestId);
      if (!bytes) continue;
      try {
        await this.#copyChunks(sources, target, bytes);
        await this.#origin.putPack(target, manifestId, bytes);
        return;
      } catch (error) {
        if (!isSluiceError(error, 'CHUNK_MISSING') && !isSluiceError(error, 'CHUNK_CORRUPT')) {
          throw error;
        }
      }
    }
  }

  async #copyChunksOf(
    sources: readonly string[],
    target: string,
    manifestId: string,
  ): Promise<void> {
    await this.#copyChunks(sources, target, await this.#read(sources, manifestId));
  }

  async #read(sources: readonly string[], manifestId: string): Promise<Buffer> {
    for (const source of sources) {
      const bytes = await this.#origin.readManifestForCopy(source, manifestId);
      if (bytes) return bytes;
    }
    throw new SluiceError('MANIFEST_NOT_FOUND', `${manifestId}: gone while it was copied`, {
      data: { manifestId },
    });
  }

  async #copyChunks(sources: readonly string[], target: string, bytes: Buffer): Promise<void> {
    const names = new Set(readManifestHeader(bytes).names())[Symbol.iterator]();
    const copyNext = async (): Promise<void> => {
      for (let next = names.next(); !next.done; next = names.next()) {
        await this.#copyChunk(sources, target, next.value);
      }
    };
    const copies = Array.from({ length: limits.gc.copiesAtOnce }, copyNext);
    // All end before this does, also when one fails: nothing goes on copying behind the caller.
    const failed = (await Promise.allSettled(copies)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async #copyChunk(sources: readonly string[], target: string, name: ChunkName): Promise<void> {
    const key = `${target}/${name}`;
    if (this.#known.has(key)) return;
    const ref = { rootId: target, name };
    if (await this.#tryRead(target, name)) {
      this.#report.chunksPresent++;
    } else {
      const ciphertext = await this.#readChunk(sources, name);
      await this.#origin.put(ref, ciphertext);
      await this.#origin.readForCopy(ref);
      this.#report.chunksCopied++;
      this.#report.bytesCopied += ciphertext.length;
      this.#copied.add();
      this.#bytes.add(ciphertext.length);
    }
    if (this.#known.size >= this.#namesMax) this.#known.clear();
    this.#known.add(key);
  }

  async #readChunk(sources: readonly string[], name: ChunkName): Promise<Buffer> {
    for (const source of sources) {
      const ciphertext = await this.#tryRead(source, name);
      if (ciphertext) return ciphertext;
    }
    throw new SluiceError('CHUNK_MISSING', `${name}: in none of the roots ${sources.join(', ')}`, {
      data: { chunk: name },
    });
  }

  async #tryRead(rootId: string, name: ChunkName): Promise<Buffer | undefined> {
    try {
      return await this.#origin.readForCopy({ rootId, name });
    } catch (error) {
      if (isSluiceError(error, 'CHUNK_MISSING')) return undefined;
      throw error;
    }
  }
}
