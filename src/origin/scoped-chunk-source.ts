import { SluiceError } from '../base/mod.ts';
import type { ChunkName, ChunkRef, ChunkSource } from '../seal/mod.ts';

/** What names the chunks that may be read: a manifest's header, or an opened manifest's names. */
export interface NamesChunks {
  readonly manifestId: string;
  names(): Iterable<ChunkName>;
}

/**
 * A source cut down to the chunks of the manifests that were handed over; all others are refused
 * with `ACCESS_DENIED`, present or not.
 */
export class ScopedChunkSource implements ChunkSource {
  readonly #source: ChunkSource;
  readonly #manifests = new Map<string, readonly ChunkName[]>();
  /** How many of the manifests name a chunk. */
  readonly #uses = new Map<ChunkName, number>();

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  admit(manifest: NamesChunks): void {
    if (this.#manifests.has(manifest.manifestId)) return;
    const names = [...new Set(manifest.names())];
    this.#manifests.set(manifest.manifestId, names);
    for (const name of names) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  dismiss(manifestId: string): void {
    for (const name of this.#manifests.get(manifestId) ?? []) {
      const uses = (this.#uses.get(name) ?? 0) - 1;
      if (uses > 0) this.#uses.set(name, uses);
      else this.#uses.delete(name);
    }
    this.#manifests.delete(manifestId);
  }

  /** May this chunk be read? */
  admits(name: ChunkName): boolean {
    return this.#uses.has(name);
  }

  async get(ref: ChunkRef, signal?: AbortSignal): Promise<Buffer> {
    if (this.admits(ref.name)) return await this.#source.get(ref, signal);
    throw new SluiceError(
      'ACCESS_DENIED',
      `${ref.name}: no manifest that was handed over names this chunk`,
      { data: { rootId: ref.rootId, chunk: ref.name } },
    );
  }
}

export function scopedChunkSource(
  source: ChunkSource,
  manifests: Iterable<NamesChunks>,
): ScopedChunkSource {
  const scoped = new ScopedChunkSource(source);
  for (const manifest of manifests) scoped.admit(manifest);
  return scoped;
}
