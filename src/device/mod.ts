export {
  type AccessLog,
  type AccessRun,
  encodeAccessLog,
  fitOf,
  isStale,
  type LogFit,
  mergeAccessLogs,
  parseAccessLog,
} from './access-log.ts';
export type { AgentAnswer, AgentCommand } from './agent-messages.ts';
export { AgentPool, type AgentPoolOptions, type SpawnAgent } from './agent-pool.ts';
export { ChunkFiller, type ChunkFillerOptions, type NearTiers } from './chunk-filler.ts';
export type { ChunkMemory } from './chunk-memory.ts';
export type { Device } from './device.ts';
export {
  DeviceCounters,
  type DeviceStats,
  TIERS,
  type Tier,
  type TierStats,
} from './device-counters.ts';
export { DeviceLoop, type DeviceLoopOptions } from './device-loop.ts';
export { DiskDevice, type DiskDeviceOptions, type Extent } from './disk-device.ts';
export { type FileDeviceOptions, openDeviceOnFile } from './file-device.ts';
export { LocalDevice, type LocalDeviceOptions } from './local-device.ts';
export { type MountDeviceOptions, mountDevice, unmountDevice } from './loop-mount.ts';
export type { DeviceRequest, LoopCommand, LoopReport } from './messages.ts';
export type { OpenDevice } from './open-device.ts';
export { Overlay, type OverlayOptions, OverlayScratch } from './overlay.ts';
export { PlainPages } from './plain-pages.ts';
export { type RehearsalOptions, rehearse } from './rehearsal.ts';
export { clearStaleMount } from './stale-mounts.ts';
export { TierWatch } from './tier-watch.ts';
