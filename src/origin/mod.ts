export { followingMigrations } from './following.ts';
export {
  type KmsClient,
  type KmsCredentials,
  type KmsLocation,
  kmsClient,
} from './keys/kms-client.ts';
export { KmsKeyService } from './keys/kms-key-service.ts';
export { LocalKeyService } from './keys/local-key-service.ts';
export { rewrapManifests } from './keys/rewrap-manifests.ts';
export { limitedObjects } from './limited.ts';
export { MemoryObjects } from './memory-objects.ts';
export { meteredObjects } from './metered.ts';
export { type KeepNote, noteKeeper } from './notes.ts';
export type { ObjectStore, ObjectUsage } from './object-store.ts';
export { directoryOrigin, memoryOrigin, s3Origin } from './open-origin.ts';
export type {
  LocatedManifest,
  ManifestEditor,
  ManifestPins,
  ManifestSink,
  ManifestSource,
  ManifestUse,
  Origin,
  RootAlarm,
  RootKeeper,
  RootSource,
  RootState,
  RootStatus,
} from './origin.ts';
export {
  type OriginPlace,
  openOrigin,
  originCredentialFiles,
  originEnvironment,
  originPlace,
} from './origin-place.ts';
export { retryingObjects } from './retrying.ts';
export type { S3Location } from './s3-objects.ts';
export { type NamesChunks, ScopedChunkSource, scopedChunkSource } from './scoped-chunk-source.ts';
export { type OriginOptions, StoredOrigin } from './stored-origin.ts';
export {
  type CollectorView,
  collectorView,
  type FlattenerView,
  flattenerView,
} from './views.ts';
