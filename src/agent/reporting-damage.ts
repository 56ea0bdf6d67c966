import { isSluiceError, type Logger } from '../base/mod.ts';
import type { ChunkSource } from '../seal/mod.ts';

/** Says in the log which chunk is damaged or gone: the read that needed it only fails. */
export function reportingDamage(source: ChunkSource, logger: Logger): ChunkSource {
  return {
    get: async (ref, signal) => {
      try {
        return await source.get(ref, signal);
      } catch (error) {
        if (isSluiceError(error, 'CHUNK_CORRUPT') || isSluiceError(error, 'CHUNK_MISSING')) {
          const { rootId, name: chunk } = ref;
          logger.error({ rootId, chunk, error }, 'a stored chunk is damaged or gone');
        }
        throw error;
      }
    },
  };
}
