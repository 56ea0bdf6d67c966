import { GIB, KIB, MIB } from './units.ts';

/** Of an image, in sizes and numbers. */
export const imageLimits = {
  /** Flattened size of one image; Lambda's limit. */
  flattenedSizeBytes: 10 * GIB,
  entries: 1_000_000,
  flattenersAtOnce: 4,
  flattenersWaiting: 1000,
  /** Images whose manifest is found again when their account installs them once more. */
  installsRemembered: 10_000,
  layers: 1000,
  /** Members of an archive that packs an image: blobs, links, legacy metadata. */
  archiveMembers: 100_000,
  /** A compressed archive that packs an image, once it is unpacked. */
  archiveBytes: 11 * GIB,
  manifestBytes: 4 * MIB,
  configBytes: 4 * MIB,
  pathBytes: 4096,
  nameBytes: 255,
  paxHeaderBytes: 1 * MIB,
  /** Of a configuration's entry point and command, and of its environment. */
  processBytes: 1 * MIB,
  symlinkBytes: 4095,
  xattrNameBytes: 255,
  xattrValueBytes: 64 * KIB,
} as const;

/** Of reading from a registry. */
export const registryLimits = {
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  /** Without a byte. */
  bodyTimeoutMs: 60_000,
  attempts: 4,
  /** Before the second attempt; twice as long before each further one. */
  retryDelayMs: 250,
  /** The longest `Retry-After` that is waited for. */
  retryAfterMs: 120_000,
  tokenBytes: 1 * MIB,
  /** One document or token, all redirects included. */
  documentMs: 60_000,
  /** Spent waiting for one image's registry in all; and how slow it may be meanwhile. */
  waitedMs: 30 * 60_000,
  progressMs: 60_000,
  progressBytes: 64 * KIB,
  /** A program that knows credentials (`docker-credential-*`). */
  helperMs: 20_000,
  helperBytes: 64 * KIB,
} as const;
