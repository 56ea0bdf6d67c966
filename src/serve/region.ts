import { writeFile } from 'node:fs/promises';
import { Accounts, SandboxCredentials } from '../accounts/mod.ts';
import { type Logger, limits, systemClock, systemRandom } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import {
  type DataDirectory,
  ensureDataDirectory,
  fileSystemDirectory,
  lockDataDirectory,
} from '../config/mod.ts';
import { reportDamaged } from '../database/mod.ts';
import { AsyncEvents, QueueBatches, SnsTopics, SqsQueues } from '../delivery/mod.ts';
import { VersionBook } from '../dispatch/mod.ts';
import { Frontend, MetricsListener } from '../frontend/mod.ts';
import type { NetworkKind, WardenClient } from '../isolation/mod.ts';
import { createLogger, type LogLevel, PrometheusMeter } from '../telemetry/mod.ts';
import { DiskPromises } from '../worker/mod.ts';
import { scheduleCollector } from './collector.ts';
import { startCompute } from './compute.ts';
import { DiskGuard } from './disk-guard.ts';
import { requireFileKinds } from './file-kinds.ts';
import { raiseOpenFiles } from './open-files.ts';
import { holdOrigin } from './region-hold.ts';
import { keepGeneration } from './region-identity.ts';
import { openFunctions, openStores, type Stores } from './stores.ts';
import { reportStrayFiles } from './stray-files.ts';
import { openZipSupport } from './zip-support.ts';

export interface RegionOptions {
  readonly dataPath: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly regionName: string;
  readonly logLevel: LogLevel;
  readonly network: NetworkKind;
  /** Serves HTTPS with it; the file is where commands of this host find whom to trust. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly certificateFile: string };
  /** The zone's shared cache, if there is one. */
  readonly l2?: L2Settings | undefined;
  /** Who has the privileges; this process itself, if absent. */
  readonly warden?: WardenClient | undefined;
}

export interface RunningRegion {
  readonly endpoint: string;
  readonly credentialsFile: string;
  readonly dataDirectory: string;
  /** Aborted, with the reason, when another region took over what this one serves from. */
  readonly lost: AbortSignal;
  /** Drains and leaves nothing behind. */
  stop(): Promise<void>;
}

type Cleanup = () => Promise<void> | void;

/** Undoes what was started, last first, whatever fails on the way; then reports the first failure. */
async function undo(cleanups: readonly Cleanup[], logger: Logger): Promise<void> {
  let first: unknown;
  for (const cleanup of [...cleanups].reverse()) {
    try {
      await cleanup();
    } catch (error) {
      logger.error({ error }, 'a part of the region did not stop');
      first ??= error;
    }
  }
  if (first) throw first;
}

/** Starts a whole region on this host: the one place where all parts meet. */
export async function startRegion(options: RegionOptions): Promise<RunningRegion> {
  const logger = createLogger(options.logLevel, 'sluice');
  const cleanups: Cleanup[] = [];
  const { warden } = options;
  if (warden) cleanups.push(() => warden.end());
  try {
    const data = ensureDataDirectory(options.dataPath);
    requireFileKinds(data);
    const lock = lockDataDirectory(data);
    cleanups.push(() => lock.release());
    const { endpoint, lost } = await startParts(options, data, logger, cleanups);
    const certificateFile = options.tls?.certificateFile;
    const address = JSON.stringify({ endpoint, region: options.regionName, certificateFile });
    await writeFile(data.addressFile, address, { mode: 0o600 });
    return {
      endpoint,
      credentialsFile: data.credentialsFile,
      dataDirectory: data.path,
      lost,
      stop: () => undo(cleanups, logger),
    };
  } catch (error) {
    await undo(cleanups, logger).catch(() => {});
    throw error;
  }
}

async function startParts(
  options: RegionOptions,
  data: DataDirectory,
  logger: Logger,
  cleanups: Cleanup[],
): Promise<Pick<RunningRegion, 'endpoint' | 'lost'>> {
  const { warden } = options;
  const openFiles = await raiseOpenFiles();
  const meter = new PrometheusMeter();
  let guard: DiskGuard | undefined;
  const isDiskLow = () => guard?.isLow ?? false;
  const stores = await openStores(data.path, {
    meter,
    logger,
    isDiskLow,
    keyProcess: true,
    warden,
  });
  cleanups.push(() => stores.close());
  const tools = { clock: systemClock, random: systemRandom, logger };
  const hold = await holdOrigin({ ...stores, ...tools });
  cleanups.push(() => hold.release());
  reportStrayFiles(data, logger);
  const functions = openFunctions(data);
  cleanups.push(() => functions.close());
  const collector = scheduleCollector(stores, hold, functions, { meter, logger });
  cleanups.push(() => collector?.close());
  const zip = await openZipSupport(stores);
  cleanups.push(() => zip.layers.close());
  const onDamaged = reportDamaged(logger, meter);
  const accounts = Accounts.open(data, systemClock, systemRandom, onDamaged);
  cleanups.push(() => accounts.close());
  const credentials = new SandboxCredentials(accounts.store, systemRandom);
  guard = new DiskGuard({
    stateDirectory: data.state,
    others: [data.origin, data.run, data.spool, data.cache, data.logs],
    ...{ clock: systemClock, logger, meter },
  });
  cleanups.push(() => guard?.close());
  const disk = new DiskPromises({ budgetBytes: stores.budgets.scratchBytes, isLow: isDiskLow });
  const directoryOf = (accountId: string, arn: string) =>
    fileSystemDirectory(stores.settings.filesystems, accountId, arn);
  const compute = await startCompute(stores, {
    disk,
    meter,
    logger,
    l2: options.l2,
    ...{ network: options.network, warden },
    credentials,
    versions: new VersionBook(options.regionName, functions, { directoryOf }),
  });
  // Everything else ends by itself: what an invoke may take yet is what is worth waiting for.
  const drainMs = () => {
    const boundMs = stores.settings.drain.maxSeconds * 1000;
    return Math.min(boundMs, Math.max(limits.http.drainMs, compute.invoker.longestMs()));
  };
  cleanups.push(() => compute.close(drainMs()));
  const { sqs, sns, destinations, outbound: hosts } = stores.settings;
  const queues = sqs && (await SqsQueues.open(sqs, options.regionName));
  cleanups.push(() => queues?.close());
  const outbound = { ...hosts, allow: [...hosts.allow, ...destinations.allow] };
  const topics =
    sns &&
    new SnsTopics({
      ...{ settings: sns, region: options.regionName, outbound, clock: systemClock },
      environment: process.env,
    });
  cleanups.push(() => topics?.close());
  const random = systemRandom;
  const events = await AsyncEvents.open({
    data,
    isDiskLow,
    outbound,
    queues,
    topics,
    meter,
    logger,
    random,
  });
  cleanups.push(() => events.close());
  const batches = QueueBatches.open({ data, queues, meter, logger });
  cleanups.push(await keepGeneration(stores.identity, systemClock, logger));
  const { invoker } = compute;
  const frontend = new Frontend({
    region: options.regionName,
    store: functions,
    installer: stores.installer,
    invoker,
    events,
    eventSources: batches.support,
    topics,
    provisioner: invoker,
    zip,
    isDiskLow,
    credentials,
    meter,
    ...(stores.settings.metrics.listen === undefined && { metrics: meter }),
    // The other half is for sandboxes, devices and stores, which a flood must not take.
    connections: Math.floor(openFiles / 2),
    metricsToken: stores.settings.metrics.token,
    functionUrlDomain: stores.settings.urls.domain,
    functionUrlForm: stores.settings.urls.form,
    unsupported: stores.settings.unsupported.members,
    mayMount: (accountId, arn) => directoryOf(accountId, arn) !== undefined,
    clock: systemClock,
    random,
    logger,
    ...(options.tls && { tls: options.tls }),
  });
  cleanups.push(() => frontend.close(drainMs()));
  cleanups.push(() => batches.close(drainMs()));
  cleanups.push(await listenForMetrics(stores.settings, meter, options));
  const { host, port } = await frontend.start(options.listen.host, options.listen.port);
  events.start(frontend.queued, frontend.rights);
  await batches.start(frontend.queued);
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const lost = warden ? AbortSignal.any([hold.lost, warden.lost]) : hold.lost;
  return { endpoint: `${options.tls ? 'https' : 'http'}://${authority}`, lost };
}

/** Where the settings give metrics a listener of their own. Answers what closes it. */
async function listenForMetrics(
  { metrics: { listen, token } }: Stores['settings'],
  metrics: PrometheusMeter,
  { tls }: Pick<RegionOptions, 'tls'>,
): Promise<Cleanup> {
  if (listen === undefined) return () => {};
  const [clock, random] = [systemClock, systemRandom];
  const listener = new MetricsListener({ metrics, token, tls, clock, random });
  const at = listen.lastIndexOf(':');
  await listener.listen(listen.slice(0, at).replace(/^\[|\]$/g, ''), Number(listen.slice(at + 1)));
  return () => listener.close();
}
