import { assert } from './assert.ts';
import { helperLimits } from './helper-limits.ts';
import { hostLimits } from './host-limits.ts';
import { imageLimits, registryLimits } from './image-limits.ts';
import { lambdaLimits } from './lambda-limits.ts';
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
  origin: {
    parallelPuts: 8,
    parallelGets: 32,
    listPage: 1000,
    /** How long one operation is tried: of the region, of an agent that a start waits for, of an install. */
    patienceMs: 10_000,
    agentPatienceMs: 25_000,
    installPatienceMs: 5 * 60_000,
    installRetryMs: 5000,
    /** What all retries of a process share. */
    retryTokens: { tokensMax: 50, perSuccess: 0.1, perRecovery: 2, perSecond: 10 },
    retryWaitMs: 50,
    retryWaitMsMost: 5000,
    /** About how often who waits for a token looks again. */
    retryPaceMs: 250,
    connectMs: 2000,
    requestMs: 20_000,
    /** A get's answer begins by then, and no part of it is awaited longer: else it is retried. */
    answerMs: 4000,
    connections: 16,
    /** Requests that wait for a connection; more are refused. */
    waiting: 4096,
    /** How long a process may go by the states of roots that it has read. */
    rootStateMs: 5000,
    /** How often a region raises its generation: an older backup of its state shows as one. */
    generationMs: 60 * 60_000,
    /** After which a temporary file was left by a writer that is gone. */
    temporaryMs: 60 * 60_000,
  },
  gc: {
    /** How long a root stays retired at least: creates that began before settle meanwhile. */
    settleMs: 60 * 60_000,
    /** How long a root stays expired at least: whoever still reads from it raises the alarm. */
    dwellMs: 7 * 24 * 60 * 60_000,
    copiesAtOnce: 8,
    deleteBatch: 256,
    /** Names that a migration remembers as copied, and ids that a report lists. */
    namesRemembered: 200_000,
    idsReported: 10,
    /** Of a region that collects by itself. */
    roundMs: 6 * 60 * 60_000,
  },
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
  cache: {
    /** Of the memory tier of one agent: a share of the host's memory, within these. */
    memoryShare: 1 / 16,
    memoryBytesLeast: 64 * MIB,
    memoryBytesMost: 1 * GIB,
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
  },
  l2: {
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
  },
  helpers: helperLimits,
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
  assignment: {
    /** What one worker starts at once; a region of several has room for more. */
    startsPerRegion: 32,
    startsPerAccount: 16,
    /** The most that an operator may set these two, and a worker's, to. */
    startsSettable: 10_000,
    /** Of one function: Lambda's scaling rule (contract 2.11). */
    startsPerFunctionBurst: 1000,
    startsPerFunctionPerSecond: 100,
    /** Forgotten functions whose rates are remembered, for the seconds until they are full again. */
    ratesKept: 10_000,
    /** The longest that an invoke waits for a sandbox: a start and an init, each at its limit. */
    waitMs: 45_000,
    /** A sandbox that has answered asks again within this (as starts take, up to most), or is busy. */
    settleMs: 100,
    settleMsMost: 1000,
    leapMs: 2000,
    takeUpMs: 5000,
  },
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
  queue: {
    /** Internal queues, and the few of them that any one function may fill. */
    queues: 64,
    queuesPerFunction: 4,
    events: 1_000_000,
    /** Their payloads, of which one account and one function hold such parts. */
    bytes: 4 * GIB,
    bytesPartPerAccount: 1 / 4,
    bytesPartPerFunction: 1 / 16,
    /** Pages of the database that may stay free; beyond, it gives some back to the disk now and then. */
    freePages: 1024,
    pagesPerVacuum: 512,
    commitsPerVacuum: 16,
    /** One internal queue holds this part of them at most, so one function a quarter. */
    eventsPartPerQueue: 1 / 16,
    /** What one account's `directory:` destinations hold, files counted as blocks. */
    directoryBytesPerAccount: 1 * GIB,
    /** Failed events that are remembered. */
    failures: 10_000,
    invokesAtOnce: 256,
    /** Of the events of one internal queue: slow functions leave room for the others. */
    claimsPerQueue: 16,
    retryDelaysMs: [60_000, 120_000],
    backoffMinMs: 1000,
    backoffMaxMs: 5 * 60_000,
    maximumEventAgeMs: 6 * 60 * 60_000,
    deliveryAttempts: 5,
    deliveryTimeoutMs: 10_000,
    /** To one receiver; and what is read of its answers. */
    deliveryConnections: 16,
    deliveryAnswerBytes: 64 * KIB,
    errorMessageBytes: 1 * KIB,
    /** Of the last run's answer, kept beside an event that is to run again. */
    lastAnswerBytes: 256 * KIB,
  },
  eventSources: {
    /** Of the whole region: each costs a connection that waits for messages. */
    mappings: 256,
    mappingsPerAccount: 64,
    /** Batches of one mapping under way: at first, at most, and what a minute may add (2.10). */
    batchesAtFirst: 5,
    batchesAtOnce: 1000,
    batchesPerMinute: 300,
    /** Messages of one receive, and how long it waits for the first (SQS API reference). */
    messagesPerReceive: 10,
    receiveWaitSeconds: 20,
    /** Receives open at once, over all mappings; a delete always finds a connection. */
    receivesAtOnce: 384,
    receivesPerMapping: 64,
    connections: 512,
    connectMs: 2000,
    requestMs: 10_000,
    /** After a receive that failed, or a function that refused: at first, then twice as long. */
    pauseMinMs: 1000,
    pauseMaxMs: 60_000,
    emptyPauseMs: 100,
    filters: 5,
    filterBytes: 4 * KIB,
    filterDepth: 16,
    /** Queue URLs that are remembered. */
    queueUrls: 10_000,
  },
  worker: {
    /** How long an answer with its log waits for the runtime's last words. */
    logSettleMs: 50,
    /** A caller who wants the log's tail waits so long for the runtime to be done with the invoke. */
    logTailMs: 3000,
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
    sandboxes: 1000,
    idleMs: 5 * 60_000,
    waitingInvokes: 10_000,
  },
  http: {
    headerBytes: 16 * KIB,
    requestTimeoutMs: 910_000,
    connections: 4096,
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
