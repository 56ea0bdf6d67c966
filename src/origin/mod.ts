export { followingMigrations } from './following.ts';
export { kmsClient } from './keys/kms-client.ts';
export { KmsKeyService } from './keys/kms-key-service.ts';
export { LocalKeyService, type SecretName } from './keys/local-key-service.ts';
export { rewrapManifests } from './keys/rewrap-manifests.ts';
export { limitedObjects } from './limited.ts';
export { MemoryObjects } from './memory-objects.ts';
export { meteredObjects } from './metered.ts';
export { type KeepNote, noteKeeper } from './notes.ts';
export type { ObjectStore, ObjectUsage } from './object-store.ts';
export { directoryOrigin, memoryOrigin, s3Origin } from './open-origin.ts';
export type {
  DiskLocator,
  ManifestPins,
  ManifestSource,
  ManifestUse,
  Origin,
  PackStore,
  RootAlarm,
  RootSource,
} from './origin.ts';
export {
  type OriginPlace,
  openOrigin,
  originCredentialFiles,
  originEnvironment,
  originHosts,
  originPlace,
} from './origin-place.ts';
export { type OriginHolder, type OriginOwner, OWNER_KEY } from './owner-note.ts';
export { retryingObjects } from './retrying.ts';
export type { S3Location } from './s3-objects.ts';
export { type NamesChunks, ScopedChunkSource, scopedChunkSource } from './scoped-chunk-source.ts';
export { StoredOrigin } from './stored-origin.ts';
export { collectorView, flattenerView } from './views.ts';
