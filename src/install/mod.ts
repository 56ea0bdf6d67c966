export { flattenReference } from './flatten-reference.ts';
export { FLATTENER_PROGRAM } from './flattener.ts';
export type { FlattenedImage } from './flattener-protocol.ts';
export { hostLanguage } from './host-base.ts';
export { ImageCatalogue, type ImageFacts } from './image-catalogue.ts';
export { ImageInstaller } from './image-installer.ts';
export type {
  CodeInstaller,
  CodeObjects,
  InstallRequest,
  ZipInstaller,
  ZipInstallRequest,
  ZipSupport,
} from './installing.ts';
export { functionThatRuns, RegionLiveManifests } from './live-manifests.ts';
export { RuntimeBases } from './runtime-bases.ts';
export { S3CodeObjects } from './s3-objects.ts';
export { RuntimeZipInstaller } from './zip-installer.ts';
