import type { NearTiers } from '../device/mod.ts';
import { type NamesChunks, ScopedChunkSource } from '../origin/mod.ts';
import type { ChunkSource } from '../seal/mod.ts';

/** The tiers below memory, near and far, cut down to what the open devices' manifests name. */
export class ScopedTiers {
  /** Refuses all other chunks with `ACCESS_DENIED`. */
  readonly source: ChunkSource;
  /** Has no other chunks. */
  readonly near: NearTiers;
  readonly #scope: ScopedChunkSource;

  constructor(source: ChunkSource, near: NearTiers) {
    this.#scope = new ScopedChunkSource(source);
    this.source = this.#scope;
    this.near = {
      readIntoSync: (ref, into) =>
        this.#scope.admits(ref.name) ? near.readIntoSync(ref, into) : undefined,
      readInto: async (ref, into) =>
        this.#scope.admits(ref.name) ? await near.readInto(ref, into) : undefined,
    };
  }

  admit(manifest: NamesChunks): void {
    this.#scope.admit(manifest);
  }

  dismiss(manifestId: string): void {
    this.#scope.dismiss(manifestId);
  }
}
