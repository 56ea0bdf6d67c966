export { CgroupPool } from './cgroup/pool.ts';
export { probeCgroups } from './cgroup/probe.ts';
export { type HelperSpawner, Jails } from './jail/jails.ts';
export { networkMounts } from './jail/network-mounts.ts';
export { replaceableFile } from './jail/replaceable-file.ts';
export { FUSE_FD, type Helper, type HelperMount } from './jail/types.ts';
export { LeanSandboxFactory, type LeanSandboxFactoryOptions } from './lean/lean-factory.ts';
export { openUserPool, type SandboxUsers, UserPool } from './lean/user-pool.ts';
export { SandboxLife } from './life.ts';
export { HelperNetwork } from './network/helper-network.ts';
export type { HelperReach } from './network/helper-rules.ts';
export { OutboundNetwork } from './network/outbound-network.ts';
export type {
  ExtensionExit,
  Sandbox,
  SandboxExit,
  SandboxOwner,
  SandboxProvider,
  SandboxRemains,
} from './provider.ts';
export type { HostMount, SandboxIdentity, SandboxShape, SandboxSpec } from './spec.ts';
export {
  type AdmissionRules,
  admitHelper,
  admitSandbox,
  type HelperKind,
  realPath,
} from './warden/admit.ts';
export { WardenClient } from './warden/client.ts';
export type { NetworkKind } from './warden/messages.ts';
export { partInTwo } from './warden/part.ts';
export { RemoteJails } from './warden/remote-jails.ts';
export { RemoteSandboxes } from './warden/remote-sandboxes.ts';
export { Warden } from './warden/warden.ts';
