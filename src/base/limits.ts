import { assert } from './assert.ts';
import { GIB, KIB, MIB } from './units.ts';

/** The unit of storage, caching and encryption (papers: ATC'23 section 2). */
export const CHUNK_SIZE_BYTES = 512 * KIB;
/** The unit of the file system, the overlay and the access log. */
export const PAGE_SIZE_BYTES = 4 * KIB;

/**
 * Every limit of Sluice in one place: what may grow names its bound here. Limits that Lambda's
 * contract sets are under `lambda`; all sizes in bytes, all times in milliseconds.
 */
export const limits = {
  image: {
    /** Flattened size of one image; Lambda's limit. */
    flattenedSizeBytes: 10 * GIB,
    entries: 4_000_000,
    layers: 127,
    manifestBytes: 4 * MIB,
    configBytes: 4 * MIB,
    pathBytes: 4096,
    nameBytes: 255,
    paxHeaderBytes: 1 * MIB,
    symlinkBytes: 4095,
    xattrNameBytes: 255,
    xattrValueBytes: 64 * KIB,
  },
  manifest: {
    bytesPerChunk: 96,
    chunks: 32_768 * 4,
  },
  origin: {
    parallelPuts: 8,
    parallelGets: 32,
    listPage: 1000,
  },
  device: {
    overlayBytes: 512 * MIB,
    missesInFlight: 256,
    devicesPerAgent: 4096,
    fuseMaxReadBytes: 1 * MIB,
    fuseMaxWriteBytes: 1 * MIB,
  },
  erasure: {
    dataStripes: 32,
    parityStripes: 8,
  },
  cache: {
    memoryBytes: 256 * MIB,
    slabBytes: 8 * GIB,
  },
  agent: {
    startTimeoutMs: 10_000,
    poolSize: 1,
  },
  sandbox: {
    startTimeoutMs: 30_000,
    stopGraceMs: 500,
    outputLineBytes: 256 * KIB,
    outputTailBytes: 4 * KIB,
  },
  runtime: {
    /** Of one sandbox to its Runtime API. */
    connections: 64,
    errorBodyBytes: 1 * MIB,
  },
  worker: {
    coldStartsAtOnce: 32,
    sandboxes: 1000,
    idleMs: 5 * 60_000,
    waitingInvokes: 10_000,
  },
  http: {
    headerBytes: 16 * KIB,
    requestTimeoutMs: 910_000,
    connections: 4096,
  },
  lambda: {
    syncPayloadBytes: 6 * MIB,
    asyncPayloadBytes: 1 * MIB,
    responsePayloadBytes: 6 * MIB + 100,
    streamedResponseBytes: 200 * MIB,
    requestBodyBytes: 70_167_211,
    environmentBytes: 4 * KIB,
    clientContextBytes: 3583,
    timeoutSecondsMin: 1,
    timeoutSecondsMax: 900,
    memoryMbMin: 128,
    memoryMbMax: 10_240,
    ephemeralMbMin: 512,
    ephemeralMbMax: 10_240,
    functionNameChars: 64,
    functionArnChars: 140,
    initTimeoutMs: 10_000,
    listPageItems: 50,
    clockSkewMs: 5 * 60_000,
    accountConcurrency: 1000,
  },
} as const;

assert(CHUNK_SIZE_BYTES % PAGE_SIZE_BYTES === 0, 'a chunk is a whole number of pages');
assert(
  limits.manifest.chunks * CHUNK_SIZE_BYTES >= limits.image.flattenedSizeBytes,
  'a manifest can name every chunk of the largest image',
);
