export { ChunkSlab, type ChunkSlabOptions } from './l1/chunk-slab.ts';
export { ChunkSlots } from './l1/chunk-slots.ts';
export { type MemoryCacheOptions, memoryCached } from './l1/memory-cached.ts';
export { SlabTier, type SlabTierOptions } from './l1/slab-tier.ts';
export { CacheNode } from './l2/cache-node.ts';
export type { CacheNodeOptions } from './l2/cache-node-options.ts';
export {
  type CachePrices,
  type CacheSize,
  CacheSizing,
  type CacheSizingOptions,
  missShareAt,
} from './l2/cache-sizing.ts';
export { type L2Options, type L2Source, l2Cached } from './l2/l2-cached.ts';
export { type L2Settings, l2Primed, openL2, parseErasureCode } from './l2/l2-settings.ts';
export { type ChunkLoad, loadLine, readLoadTrace, tracedLoads } from './l2/load-trace.ts';
export { LoadTraceFile, olderTrace } from './l2/load-trace-file.ts';
export { FileMembership, type Membership, staticMembership } from './l2/membership.ts';
export { metricsToken, readSecretFile, type SharedSecrets } from './l2/request-signature.ts';
export type { StripeTiming } from './l2/stripe-reader.ts';
