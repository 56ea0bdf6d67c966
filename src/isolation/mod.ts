export { CgroupPool, type CgroupPoolOptions } from './cgroup/pool.ts';
export { LeanSandboxFactory, type LeanSandboxFactoryOptions } from './lean/lean-factory.ts';
export { OutboundNetwork, type OutboundNetworkOptions } from './network/outbound-network.ts';
export type {
  ExtensionExit,
  Sandbox,
  SandboxExit,
  SandboxExtension,
  SandboxSpec,
  SweepReport,
} from './types.ts';
