import { isSluiceError, type SluiceError } from '../base/mod.ts';
import type { ChunkRef, ChunkSource } from '../seal/mod.ts';
import type { RootSource, RootStatus } from './origin.ts';

/**
 * Reads a chunk from where its root was copied to, so that a device opened before a migration does
 * not hold on to the old root. A chunk that the copy lacks is looked for in the roots that it was
 * copied from: if such a root is expired by then, that read raises the alarm that a chunk left
 * behind must raise, and the reader has its chunk.
 */
export function followingMigrations(source: ChunkSource, roots: RootSource): ChunkSource {
  const tryIn = async (
    rootIds: readonly string[],
    ref: ChunkRef,
    signal?: AbortSignal,
  ): Promise<Buffer | SluiceError | undefined> => {
    let missing: SluiceError | undefined;
    for (const rootId of rootIds) {
      try {
        return await source.get({ ...ref, rootId }, signal);
      } catch (error) {
        if (!isSluiceError(error, 'CHUNK_MISSING')) throw error;
        missing = error;
      }
    }
    return missing;
  };
  return {
    get: async (ref, signal) => {
      const here = await copiesOf(roots, ref.rootId);
      const found = await tryIn(here, ref, signal);
      if (found instanceof Buffer) return found;
      const before = sourcesOf(await roots.listRoots(), new Set([...here, ref.rootId]));
      const foundBefore = await tryIn(before, ref, signal);
      if (foundBefore instanceof Buffer) return foundBefore;
      throw found ?? foundBefore;
    },
  };
}

/** The roots that a root was copied to, the last copies first, and itself. */
export async function copiesOf(roots: RootSource, rootId: string): Promise<string[]> {
  const { state, migratedTo } = await roots.rootStatus(rootId);
  if (state === 'active') return [rootId];
  const copies = await Promise.all(migratedTo.map((each) => copiesOf(roots, each)));
  return [...new Set([...copies.flat(), rootId])];
}

/** The roots that these were copied from, near ones first, retired before expired. */
function sourcesOf(all: readonly RootStatus[], of: ReadonlySet<string>): string[] {
  const sources = all.filter(
    ({ rootId, migratedTo }) => !of.has(rootId) && migratedTo.some((each) => of.has(each)),
  );
  if (sources.length === 0) return [];
  const ids = sources.map(({ rootId }) => rootId);
  const readable = ['retired', 'expired'].flatMap((state) =>
    sources.filter((root) => root.state === state).map(({ rootId }) => rootId),
  );
  return [...readable, ...sourcesOf(all, new Set([...of, ...ids]))];
}
