export { Accounts } from '../accounts/mod.ts';
export type { FlattenedImage, ImageFacts } from '../install/mod.ts';
export { flattenReference } from '../install/mod.ts';
export { type RewrapReport, rewrapAccount, rotateKey, setKeyState } from './account-keys.ts';
export { type OpenCollector, openCollector } from './collector.ts';
export { examineHost, type HostFinding } from './doctor.ts';
export {
  type ColdCacheDrillOptions,
  coldCacheDrill,
} from './drill/cold-cache-drill.ts';
export type { ColdCacheDrill } from './drill/drill-result.ts';
export { type MountedImage, mountImage } from './mount-image.ts';
export { type RegionOptions, type RunningRegion, startRegion } from './region.ts';
export { checkLocalParts } from './region-identity.ts';
export { removeImage } from './remove-image.ts';
export { type ServeDeviceOptions, type ServedDevice, serveDevice } from './serve-device.ts';
export { adoptRegion, openStores, type Stores } from './stores.ts';
export type { WardenArguments } from './warden-main.ts';
