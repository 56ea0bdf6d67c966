import { GIB, KIB, MIB } from './units.ts';

/** The cache of one host: L1. */
export const cacheLimits = {
  /** Of the memory tier of one agent: a share of the host's memory, within these. */
  memoryShare: 1 / 16,
  memoryBytesLeast: 64 * MIB,
  memoryBytesMost: 1 * GIB,
  /** Of the memory tiers of all agents together, and what one that comes late has at least. */
  memoryHostShare: 1 / 4,
  memoryBytesLate: 16 * MIB,
  /** Of the slab: a share of its file system, and of what is free there, within these. */
  slabShare: 1 / 4,
  slabFreeShare: 1 / 2,
  slabBytesLeast: 256 * MIB,
  slabBytesMost: 64 * GIB,
  /** Chunks in memory that wait to be written to the slab; more are not kept. */
  slabWritesWaiting: 128,
  /** They are written once no chunk has come for so long: after a start, not amid it. */
  slabQuietMs: 200,
  /** How long a chunk that is asked for waits until the slab has room for it. */
  slabRoomMs: 100,
} as const;

/** The cache of a zone: L2. */
export const l2Limits = {
  /** One stripe as a cache node takes it: a whole chunk, of a code with k = 1, is the widest. */
  stripeBytes: 512 * KIB,
  signatureWindowMs: 60_000,
  secretBytesMin: 16,
  nodeConnections: 8192,
  nodeHeadersMs: 10_000,
  nodeRequestMs: 30_000,
  /** Bodies that a node is receiving or sending at once, in bytes. */
  nodeBodyBytes: 128 * MIB,
  flashReadsAtOnce: 8,
  flashReadsWaiting: 256,
  flashWritesWaiting: 256,
  /** How long a node leaves its flash alone after a failed write. */
  flashRetryMs: 10_000,
  drainMs: 5_000,
  nodes: 1024,
  membershipPollMs: 1_000,
  connectionsPerNode: 32,
  /** After this a node that has not answered counts as one that does not have the stripe. */
  stripeTimeoutMs: 250,
  responseHeadBytes: 4 * KIB,
  spareParities: 64,
  uploadTimeoutMs: 1_000,
  uploadsAtOnce: 4,
  uploadsWaiting: 64,
  /** Ways to choose k stripes that are tried when one of them lies. */
  liarTrials: 64,
} as const;
