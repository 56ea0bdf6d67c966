export {
  type AccessLog,
  type AccessRun,
  encodeAccessLog,
  fitOf,
  isStale,
  mergeAccessLogs,
  type PageRun,
  parseAccessLog,
} from './access-log.ts';
export type { AgentAnswer, AgentCommand, BuiltPack } from './agent-messages.ts';
export { AgentPool } from './agent-pool.ts';
export { ChunkFiller, type NearTiers } from './chunk-filler.ts';
export type { Device } from './device.ts';
export { DeviceCounters, type DeviceStats, TIERS, type Tier } from './device-counters.ts';
export { DeviceLoop } from './device-loop.ts';
export { openDeviceOnFile } from './file-device.ts';
export { LocalDevice } from './local-device.ts';
export { mountDevice, unmountDevice } from './loop-mount.ts';
export type { LoopCommand, LoopReport } from './messages.ts';
export type { OpenDeviceRequest } from './open-device.ts';
export { rehearse, rehearseFilling } from './rehearsal.ts';
export { clearStaleMount } from './stale-mounts.ts';
export { FRAME_PAGES, type PackMetadata } from './start-pack.ts';
export { TierWatch } from './tier-watch.ts';
