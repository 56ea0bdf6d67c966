export type {
  ChunkName,
  ChunkRef,
  ChunkSink,
  ChunkSource,
  NearChunkSource,
  PutOutcome,
} from './chunk.ts';
export type {
  DataKeyContext,
  GeneratedDataKey,
  KeyService,
  WrappedDataKey,
} from './key-service.ts';
export { KEY_BYTES, unwrapKey, wrapKey } from './key-wrap.ts';
export {
  type Manifest,
  type ManifestHeader,
  openManifest,
  readManifestHeader,
  unwrapDataKey,
  wrappedDataKey,
} from './open-manifest.ts';
export { packIdOf, packKey, packSalt, sealPack } from './pack.ts';
export { chunkSalt, type SaltParts } from './salt.ts';
export { nameOf, openRange, type SealedChunk, sealChunk, verifyChunk } from './seal-chunk.ts';
export {
  type ManifestChunk,
  type ManifestContents,
  rewrapManifest,
  sealManifest,
} from './seal-manifest.ts';
export { KeyReceiver, sealKeyFor } from './sealed-key.ts';
