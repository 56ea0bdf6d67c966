import { assert } from './assert.ts';
import { assignmentLimits } from './assignment-limits.ts';
import { cacheLimits, l2Limits } from './cache-limits.ts';
import { helperLimits } from './helper-limits.ts';
import { hostLimits } from './host-limits.ts';
import { imageLimits, registryLimits } from './image-limits.ts';
import { lambdaLimits } from './lambda-limits.ts';
import { gcLimits, originLimits } from './origin-limits.ts';
import { eventSourceLimits, queueLimits } from './queue-limits.ts';
import { runtimeLimits } from './runtime-limits.ts';
import { shareLimits } from './share-limits.ts';
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
  image: imageLimits,
  disk: {
    /** Chunks handed to the sink and not yet settled, while a disk is written. */
    chunksInFlight: 8,
    /** Content of small files held before it goes to the spool file. */
    spoolBufferBytes: 1 * MIB,
    /** Values of extended attributes, equal ones counted once; they are held until the end. */
    xattrBytes: 64 * MIB,
  },
  registry: registryLimits,
  manifest: {
    bytesPerChunk: 96,
    chunks: 32_768 * 4,
  },
  origin: originLimits,
  gc: gcLimits,
  device: {
    overlayBytes: 512 * MIB,
    missesInFlight: 256,
    /** Requests that wait for a slot of the memory tier. */
    parkedRequests: 4096,
    /** A chunk that has not come by then fails the reads that wait for it. */
    fetchTimeoutMs: 30_000,
    devicesPerAgent: 4096,
    /** Chunks fetched ahead for one device: at once, and while a read waits. */
    prefetchAtOnce: 16,
    prefetchAtOnceWithDemand: 4,
    /** Reads of this host's disk for chunks that nobody waits for. */
    nearReadsAhead: 3,
    accessLogRuns: 262_144,
    /** Chunks of an account of which it is known what starts touch, and accounts in memory. */
    loreChunks: 4096,
    loreAccounts: 64,
    /** Chunks and blocks that one read may lack, `packBlocksPerRead` for each chunk of the disk. */
    missingChunks: 64,
    /** Of a start pack, 64 MiB: what a start reads beyond them comes by chunks. */
    packPages: 16_384,
    packStreamBytes: 48 * MIB,
    /** Blocks of a pack, of 512 KiB, that are brought at once; and that one read may wait for. */
    packBlocksAtOnce: 32,
    packBlocksPerRead: 4,
    /** Chunks that no block is opened from now, kept for the next. */
    packChunksKept: 4,
    /** Starts whose packs wait to be made; later starts have the others made. */
    packsWaiting: 8,
    /** Of one account: the others' starts leave packs too. */
    packsWaitingPerAccount: 2,
    packChunks: 96,
    /** A disk's pack is made anew at most so often: what it replaces stays until its root goes. */
    packRenewMs: 3_600_000,
    /** A pack is made so long after its start, whose first answers go first. */
    packDelayMs: 3000,
    /** Starts that make one log, and logs that a worker keeps in memory. */
    accessLogsMerged: 3,
    accessLogsKept: 1000,
    /** On disk, swept once per this many written. */
    accessLogsOnDisk: 10_000,
    accessLogsPerSweep: 100,
    fuseMaxReadBytes: 1 * MIB,
    fuseMaxWriteBytes: 1 * MIB,
  },
  erasure: {
    dataStripes: 32,
    parityStripes: 8,
  },
  nbd: {
    /** What the protocol's clients take for granted. */
    requestBytes: 32 * MIB,
    optionBytes: 64 * KIB,
    requestsAtOnce: 16,
    /** A reply's memory up to this size is kept for the next. */
    keptReplyBytes: 1 * MIB + 4 * KIB,
    connections: 16,
  },
  cache: cacheLimits,
  l2: l2Limits,
  helpers: helperLimits,
  keys: {
    /** Agents and flatteners whose account the key process remembers. */
    recipients: 10_000,
    /** How long it may take to answer, AWS KMS included. */
    answerMs: 30_000,
  },
  shares: shareLimits,
  host: hostLimits,
  agent: {
    requestTimeoutMs: 30_000,
    /** An agent without devices ends after so long. */
    idleMs: 60_000,
    maxBackground: 64,
    /** How often it says which manifests its devices show, for roots that are to be deleted. */
    noteUseMs: 60_000,
    /** Memory that an agent takes before it needs it, so that a cold start need not. */
    warmMemoryBytes: 64 * MIB,
    /** Requests that a spare agent makes of a far origin to have their code compiled. */
    rehearsedGets: 24,
    rehearsedGetsAtOnce: 8,
    startTimeoutMs: 30_000,
    poolSize: 1,
    /** A spare that was taken is replaced so long after: not beside the start that it was taken for. */
    replenishMs: 3000,
    /** Alarms and damaged chunks that one agent may have its worker write down. */
    notes: 10_000,
  },
  drill: {
    /** Requests that stand in line at the drill's origin; more are refused. */
    originWaiting: 100_000,
    seconds: 3600,
  },
  relay: {
    /** How often a process reports what it measured and logged, and how much at once. */
    everyMs: 1000,
    series: 1000,
    logLines: 100,
    traceLoads: 20_000,
  },
  trace: {
    /** Of a region's trace of chunk loads, in two files: the older one goes when both are full. */
    bytes: 64 * MIB,
    pendingBytes: 8 * MIB,
  },
  sandbox: {
    /** What a sandbox has of the CPU during init at least; afterwards its memory decides. */
    initCpuMillis: 1000,
    startTimeoutMs: 30_000,
    stopGraceMs: 500,
    stopTimeoutMs: 30_000,
    freezeTimeoutMs: 5_000,
    cgroupsReady: 16,
    launchersReady: 2,
    scratchTemplates: 32,
    outputLineBytes: 256 * KIB,
    outputTailBytes: 4 * KIB,
    /** Of one invoke, or of one init; what a function prints beyond it is dropped. */
    outputInvokeBytes: 16 * MIB,
    /** Read from one sandbox in one window; a function that prints faster waits. */
    outputWindowBytes: 1 * MIB,
    outputWindowMs: 50,
    /** Lines of one sandbox at once after a rest, afterwards each second; it waits for more. */
    outputLines: 5000,
    outputLinesPerSecond: 10_000,
    /** Taken in one go, after which others have their turn: of what was just read, and of its rest. */
    outputBurstLines: 1000,
    outputSliceLines: 200,
    processes: 1024,
    openFiles: 1024,
    /** Arguments and environment of an entrypoint; Linux itself takes 128 KiB each. */
    argumentBytes: 256 * KIB,
    /** Users and groups of sandboxes, each of one at a time. */
    users: 65_536,
    /** The highest range whose numbers fit into seven octal digits, as tar headers have them. */
    firstUid: 2_097_152 - 65_536,
    /** Of the host's process numbers and memory, what all sandboxes of an instance may take. */
    hostProcessesShare: 0.75,
    hostMemoryShare: 0.875,
  },
  runtime: runtimeLimits,
  assignment: assignmentLimits,
  placement: { suspectMs: 3000 },
  dispatch: { attempts: 3, versions: 10_000 },
  logs: {
    /** Of one log group and of all; the oldest lines go first. */
    groupBytes: 64 * MIB,
    totalBytes: 1 * GIB,
    segmentBytes: 4 * MIB,
    /** Lines on their way to the disk; more are dropped, and counted. */
    pendingBytes: 16 * MIB,
    flushMs: 100,
    followMs: 200,
  },
  usage: {
    /** Functions counted one by one; what comes after them is counted for the account. */
    functions: 50_000,
    /** Its file is written so long after a change, and again after so long if more have come. */
    saveSoonMs: 100,
    saveMs: 5000,
  },
  queue: queueLimits,
  eventSources: eventSourceLimits,
  worker: {
    /** Versions whose warnings a worker remembers to have written. */
    versionsWarned: 10_000,
    /** How long an answer with its log waits for the runtime's last words. */
    logSettleMs: 50,
    /**
     * So long waits a caller who wants the log's tail, or whose invoke resets the sandbox, until
     * that is over.
     */
    overMs: 3000,
    /** A runtime that has printed nothing for this long is taken to have finished printing. */
    logQuietMs: 5,
    peakMemoryMs: 1000,
    /** How long a sandbox idles before it is frozen. */
    freezeAfterMs: 1000,
    memoryWatchMs: 500,
    /** What an idle sandbox is taken to hold when memory is short. */
    idleSandboxBytes: 64 * MIB,
    /** With less memory available than this, idle sandboxes go. */
    lowMemoryBytes: 512 * MIB,
    reportMs: 1000,
    coldStartsAtOnce: 32,
    /** Runtimes that are started again in sandboxes that were reset, up to their init's end. */
    restartsAtOnce: 16,
    restartsAtOncePerAccount: 8,
    sandboxes: 1000,
    idleMs: 5 * 60_000,
    waitingInvokes: 10_000,
  },
  http: {
    headerBytes: 16 * KIB,
    requestTimeoutMs: 910_000,
    connections: 4096,
    /** Of the listener for metrics alone. */
    metricsConnections: 64,
    /** What running requests get to end before a shutdown aborts them. */
    drainMs: 10_000,
    /** Request bodies held in memory at once, over all connections. */
    bodyBytesInFlight: 512 * MIB,
    /** How long a refused request may go on sending what nobody reads. */
    lingerMs: 2_000,
    signingKeys: 10_000,
    /** Bodies of operations that carry neither code nor an event. */
    smallBodyBytes: 1 * MIB,
    headTimeoutMs: 20_000,
    /** How long a client may take to send one whole request. */
    receiveTimeoutMs: 300_000,
    keepAliveMs: 75_000,
  },
  functions: {
    /** Functions whose record the frontend keeps in memory. */
    cached: 10_000,
    installsAtOnce: 4,
    installsWaiting: 10_000,
  },
  lambda: lambdaLimits,
} as const;

assert(
  limits.gc.dwellMs > limits.origin.rootStateMs,
  'every reader has learnt that a root is expired before it is deleted',
);
assert(
  limits.origin.holdWatchMs > limits.origin.holdBeatMs + limits.origin.requestMs,
  'who watches a note sees it change, though one request takes long',
);
assert(
  limits.gc.dwellMs > 2 * limits.agent.noteUseMs,
  'every open device has said which root it reads before that is deleted',
);
assert(
  limits.eventSources.mappings <= limits.eventSources.receivesAtOnce &&
    limits.eventSources.receivesAtOnce < limits.eventSources.connections,
  'every mapping can wait for messages, and messages can be deleted meanwhile',
);
assert(
  2 * limits.queue.claimsPerQueue * limits.queue.queuesPerFunction <= limits.queue.invokesAtOnce,
  'one function, however slow, takes at most half of the invokes at once',
);
assert(CHUNK_SIZE_BYTES % PAGE_SIZE_BYTES === 0, 'a chunk is a whole number of pages');
assert(
  limits.manifest.chunks * CHUNK_SIZE_BYTES >= limits.image.flattenedSizeBytes,
  'a manifest can name every chunk of the largest image',
);
