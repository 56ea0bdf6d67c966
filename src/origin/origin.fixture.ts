import { CHUNK_SIZE_BYTES, systemRandom } from '../base/mod.ts';
import {
  type KeyService,
  type ManifestChunk,
  packIdOf,
  sealManifest,
  sealPack,
} from '../seal/mod.ts';

/** A key service for tests that look at what is stored and open nothing. */
const throwawayKeys: KeyService = {
  generateDataKey: async () => ({
    keyId: 'throwaway',
    plaintext: systemRandom.bytes(32),
    wrapped: Buffer.alloc(0),
  }),
  unwrapDataKey: () => Promise.reject(new Error('thrown away')),
  rewrapDataKey: () => Promise.reject(new Error('thrown away')),
};

/** The bytes of a manifest for tests of what stores it. */
export async function sealedManifest(facts: {
  manifestId: string;
  rootId: string;
  accountId?: string;
  chunks?: readonly (ManifestChunk | undefined)[];
}): Promise<Buffer> {
  const { manifestId, rootId, accountId = '000000000000', chunks = [] } = facts;
  const diskBytes = chunks.length * CHUNK_SIZE_BYTES;
  const contents = { manifestId, rootId, accountId, diskBytes, chunks };
  return await sealManifest(
    { ...contents, createdAtMs: 1_700_000_000_000, metadata: {} },
    throwawayKeys,
    systemRandom,
  );
}

/** The index of a start pack for tests of what stores it. */
export async function sealedPack(
  manifestId: string,
  rootId: string,
  chunks: readonly ManifestChunk[] = [],
): Promise<Buffer> {
  const facts = { manifestId: packIdOf(manifestId), rootId, accountId: '000000000000', chunks };
  const diskBytes = chunks.length * CHUNK_SIZE_BYTES;
  const contents = { ...facts, diskBytes, createdAtMs: 1_700_000_000_000, metadata: {} };
  return sealPack(contents, systemRandom.bytes(32), systemRandom);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
