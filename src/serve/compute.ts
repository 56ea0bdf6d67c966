import { totalmem } from 'node:os';
import { join } from 'node:path';
import {
  AccessLogBook,
  type AgentSettings,
  adoptSlab,
  agentSettings,
  ChunkLore,
  hearTelemetry,
  ManifestDevices,
  PackKeeper,
  spawnAgent,
  WorkerDevices,
} from '../agent/mod.ts';
import { type Logger, limits, type Meter, MIB, systemClock, systemRandom } from '../base/mod.ts';
import { type L2Settings, LoadTraceFile, oneMoreTier } from '../cache/mod.ts';
import { defaultAccountId } from '../config/mod.ts';
import { AgentPool } from '../device/mod.ts';
import { type RegionInvoker, UsageFile, type VersionBook } from '../dispatch/mod.ts';
import {
  type NetworkKind,
  probeCgroups,
  RemoteSandboxes,
  type SandboxProvider,
  type WardenClient,
} from '../isolation/mod.ts';
import { RuntimeApi } from '../runtime/mod.ts';
import {
  type CredentialIssuer,
  type DiskPromises,
  FileLogStore,
  MemoryWatch,
  procMeminfo,
  Worker,
} from '../worker/mod.ts';
import { ownerIdOf } from './helper-cgroups.ts';
import { joinWorker } from './join-worker.ts';
import { openLeanSandboxes } from './lean-sandboxes.ts';
import type { Stores } from './stores.ts';

/** What runs functions in this process: assignment over one worker, and what sends events there. */
export interface Compute {
  readonly invoker: RegionInvoker;
  close(graceMs: number): Promise<void>;
}

export interface ComputeOptions {
  readonly meter: Meter;
  readonly logger: Logger;
  readonly l2?: L2Settings | undefined;
  readonly network: NetworkKind;
  readonly disk: DiskPromises;
  readonly credentials: CredentialIssuer;
  readonly versions: VersionBook;
  /** Who starts sandboxes; this process itself, if absent. */
  readonly warden?: WardenClient | undefined;
}

export async function startCompute(stores: Stores, options: ComputeOptions): Promise<Compute> {
  const { meter, logger } = options;
  const { starts } = stores.settings;
  const clock = systemClock;
  const random = systemRandom;
  adoptSlab(stores.data);
  const trace = new LoadTraceFile({ path: stores.data.loadTrace, logger });
  const agents = await openAgents(stores, options, trace);
  try {
    const sandboxes = options.warden
      ? await openRemoteSandboxes(stores, options.warden, options.network)
      : await openSandboxes(stores, options);
    await Promise.all([agents.warm(), sandboxes.warm(limits.lambda.ephemeralMbMin * MIB)]);
    const logs = await FileLogStore.open({
      ...{ directory: stores.data.logs, clock, logger },
      limits: { totalBytes: stores.budgets.logsBytes },
    });
    const accessLogs = new AccessLogBook(join(stores.data.cache, 'access-logs'), logger);
    const lore = new ChunkLore({
      directory: join(stores.data.cache, 'access-lore'),
      operatorId: defaultAccountId,
      logger,
    });
    const packs = new PackKeeper({ origin: stores.origin, clock, meter, logger });
    const devices = new ManifestDevices(stores.origin, stores.keys, agents);
    const worker = new Worker({
      devices: new WorkerDevices({ devices, accessLogs, packs, lore, meter, logger }),
      sandboxes,
      runtimeApis: (sandbox) => new RuntimeApi({ clock, random, sandbox }),
      logs,
      credentials: options.credentials,
      templates: options.versions,
      memory: procMeminfo,
      clock,
      random,
      logger,
      coldStartsAtOnce: starts.perWorker,
      disk: options.disk,
      strict: stores.settings.strict,
    });
    const usage = await UsageFile.open({ path: stores.data.usageFile, clock, logger });
    const { assignment, invoker } = joinWorker(worker, { ...options, starts, usage });
    const memory = new MemoryWatch({
      memory: procMeminfo,
      lowBytes: limits.worker.lowMemoryBytes,
      reclaim: (count) => assignment.reclaim(count),
      clock,
      logger,
    });
    return {
      invoker,
      close: async (graceMs) => {
        memory.close();
        await assignment.close(graceMs);
        await packs.close();
        await worker.close();
        await sandboxes.close();
        await agents.close();
        await trace.close();
        await usage.close();
        await logs.close();
      },
    };
  } catch (error) {
    await agents.close();
    throw error;
  }
}

/** Agents in their jails, with this host's caches; what they load goes to `trace`. */
async function openAgents(
  stores: Stores,
  { l2, meter, logger }: ComputeOptions,
  trace: LoadTraceFile,
): Promise<AgentPool<AgentSettings>> {
  const tiers = await agentSettings(stores, l2);
  const sizes = { memoryBytes: tiers.memoryBytes, slabBytes: tiers.slab?.limitBytes };
  logger.info(sizes, 'the caches of this host are sized');
  const sinks = { meter, logger, traceLoads: (lines: string) => trace.append(lines) };
  return new AgentPool<AgentSettings>({
    spawn: async (place) => hearTelemetry(await spawnAgent(place, stores.jails), sinks),
    directory: join(stores.data.run, 'agents'),
    settings: tiers,
    oneMore: (alone, others) => {
      const taken = others.map(({ memoryBytes }) => memoryBytes);
      return { ...alone, memoryBytes: oneMoreTier(alone.memoryBytes, totalmem(), taken) };
    },
    spareAgents: limits.agent.poolSize,
    clock: systemClock,
    random: systemRandom,
    logger,
  });
}

/** What makes sandboxes, and is told of the room in `/tmp` that most have. */
type SandboxMaker = SandboxProvider & {
  warm(tmpBytes: number): Promise<void>;
  close(): Promise<void>;
};

/** What makes sandboxes, once it has cleared what a killed region left. */
async function openSandboxes(
  { data, settings }: Stores,
  { network: kind, logger }: ComputeOptions,
): Promise<SandboxMaker> {
  const { factory, close } = await openLeanSandboxes({ data, settings, kind, logger });
  return {
    isolation: factory.isolation,
    start: (spec, owner, remains) => factory.start(spec, owner, remains),
    restore: (snapshot, spec) => factory.restore(snapshot, spec),
    warm: (tmpBytes) => factory.warm(tmpBytes),
    close,
  };
}

async function openRemoteSandboxes(
  { data }: Stores,
  warden: WardenClient,
  network: NetworkKind,
): Promise<SandboxMaker> {
  await warden.ask({ type: 'open', network });
  const tree = await probeCgroups({ ownerId: ownerIdOf(data), clock: systemClock });
  return new RemoteSandboxes(warden, tree, systemClock);
}
