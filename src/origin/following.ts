import { isSluiceError } from '../base/mod.ts';
import type { ChunkRef, ChunkSource } from '../seal/mod.ts';
import type { RootSource } from './origin.ts';

/**
 * Reads a chunk from where its root was copied to, so that a device opened before a migration does
 * not hold on to the old root. Where the copies have it not, the old root is asked after all: if it
 * is expired by then, that read raises the alarm that a copy left behind must raise.
 */
export function followingMigrations(source: ChunkSource, roots: RootSource): ChunkSource {
  const get = async (ref: ChunkRef, signal?: AbortSignal): Promise<Buffer> => {
    const { state, migratedTo } = await roots.rootStatus(ref.rootId);
    for (const rootId of state === 'active' ? [] : migratedTo) {
      try {
        return await get({ ...ref, rootId }, signal);
      } catch (error) {
        if (!isSluiceError(error, 'CHUNK_MISSING')) throw error;
      }
    }
    return await source.get(ref, signal);
  };
  return { get };
}
