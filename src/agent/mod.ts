export { AccessLogBook } from './access-log-book.ts';
export {
  type AgentPlaces,
  type AgentSettings,
  adoptSlab,
  agentSettings,
} from './agent-settings.ts';
export { hearTelemetry } from './agent-telemetry.ts';
export { ChunkLore } from './chunk-lore.ts';
export { ManifestDevices } from './manifest-devices.ts';
export { OpenManifests } from './open-manifests.ts';
export { PackKeeper } from './pack-keeper.ts';
export { AGENT_PROGRAM, spawnAgent, spawnHostAgent } from './spawn-agent.ts';
export { openTiers } from './tiers.ts';
export { WorkerDevices } from './worker-devices.ts';
