import { join } from 'node:path';
import { RegistryLogins } from '../accounts/mod.ts';
import {
  type Logger,
  type Meter,
  noLogger,
  noMeter,
  systemClock,
  systemRandom,
} from '../base/mod.ts';
import {
  type DataDirectory,
  ensureDataDirectory,
  lockDataDirectory,
  readSettings,
  type Settings,
} from '../config/mod.ts';
import { ImageCatalogue, ImageInstaller } from '../install/mod.ts';
import {
  HelperNetwork,
  type HelperSpawner,
  Jails,
  RemoteJails,
  type WardenClient,
} from '../isolation/mod.ts';
import { holdKeys, type KeyCustody, KeyProcess } from '../keys/mod.ts';
import { type Origin, type OriginPlace, openOrigin, originPlace } from '../origin/mod.ts';
import { SqliteFunctionStore } from '../records/mod.ts';
import type { DiskBudgets } from './disk-budgets.ts';
import { requireFileKinds } from './file-kinds.ts';
import { confineHelpers, ownerIdOf } from './helper-cgroups.ts';
import { measureBudgets } from './measure-disk.ts';
import { RegionIdentity } from './region-identity.ts';

/** What rests in a data directory and may be used with or without a region running on it. */
export interface Stores {
  readonly data: DataDirectory;
  readonly settings: Settings;
  readonly place: OriginPlace;
  readonly origin: Origin;
  /** Keys in clear are in another process, where a region has it opened. */
  readonly keys: KeyCustody;
  readonly images: ImageCatalogue;
  readonly installer: ImageInstaller;
  readonly jails: HelperSpawner;
  readonly budgets: DiskBudgets;
  readonly identity: RegionIdentity;
  /** Ends the processes that keep keys, and removes helpers' cgroups. */
  close(): Promise<void>;
}

export interface OpenStoresOptions {
  readonly meter?: Meter;
  readonly logger?: Logger;
  /** Whether the disk is about full: installs under way end. */
  readonly isDiskLow?: () => boolean;
  /** A process of its own holds the keys; else this one, which is an operator's command. */
  readonly keyProcess?: boolean;
  /** Who starts helpers; this process itself, if absent. */
  readonly warden?: WardenClient | undefined;
}

/** Settings, origin and whose they are, without keys; nothing is checked yet. */
export async function openPlaces(
  dataPath: string,
  { meter = noMeter, logger = noLogger, keyProcess = false, warden }: OpenStoresOptions = {},
) {
  const data = ensureDataDirectory(dataPath);
  requireFileKinds(data);
  const settings = readSettings(data.configFile);
  const place = originPlace(settings.origin, data);
  const origin = await openOrigin(place, meter, logger);
  const jails = warden ? new RemoteJails(warden) : ownJails(data, settings, logger);
  const { keys, end } = openKeys(settings, data, keyProcess ? jails : undefined);
  const identity = new RegionIdentity({
    ...{ data, origin, place, keys, random: systemRandom },
    keyKind: settings.keys.kind,
  });
  const close = async () => {
    await end();
    await jails.close();
  };
  return { data, settings, place, origin, identity, jails, keys, close };
}

function ownJails(data: DataDirectory, settings: Settings, logger: Logger): Jails {
  const { jail, firstUid } = settings.helpers;
  return new Jails({
    random: systemRandom,
    firstUid,
    enabled: jail === 'on',
    compileCache: join(data.cache, 'compiled'),
    network: new HelperNetwork({ ownerId: ownerIdOf(data), outbound: settings.outbound, logger }),
  });
}

function openKeys(settings: Settings, data: DataDirectory, jails: HelperSpawner | undefined) {
  if (!jails) return { keys: holdKeys(settings.keys, data), end: async () => {} };
  const keys = new KeyProcess({ jails, data, settings: settings.keys, clock: systemClock });
  return { keys, end: () => keys.close() };
}

/** Takes the parts that are there for one region's. Answers its id. */
export async function adoptRegion(dataPath: string): Promise<string> {
  const { data, identity } = await openPlaces(dataPath);
  const lock = lockDataDirectory(data);
  try {
    return await identity.adopt();
  } finally {
    lock.release();
  }
}

/** Rejects with `REGION_MISMATCH` when state, keys and origin are not of one region. */
export async function openStores(
  dataPath: string,
  options: OpenStoresOptions = {},
): Promise<Stores> {
  const places = await openPlaces(dataPath, options);
  const { data, settings, place, origin, jails, keys } = places;
  let budgets: Awaited<ReturnType<typeof measureBudgets>>;
  try {
    if (options.keyProcess && jails instanceof Jails) {
      await confineHelpers(jails, data, options.logger ?? noLogger);
    }
    await places.identity.check();
    budgets = await measureBudgets(places);
  } catch (error) {
    await places.close();
    throw error;
  }
  const installer = new ImageInstaller({
    spoolFileBytes: budgets.spoolFileBytes,
    isDiskLow: options.isDiskLow,
    jails,
    data,
    place,
    origin,
    keys,
    salt: settings.salt,
    images: settings.images,
    outbound: settings.outbound,
    registryCa: settings.registries.ca,
    logins: new RegistryLogins({
      directory: data.registryLogins,
      shared: settings.images.shareCredentials,
    }),
    clock: systemClock,
    random: systemRandom,
  });
  return {
    ...places,
    budgets,
    installer,
    images: new ImageCatalogue(origin),
  };
}

/** The functions of a data directory; any number of processes may have them open. */
export function openFunctions(data: DataDirectory): SqliteFunctionStore {
  return SqliteFunctionStore.open(join(data.state, 'functions.sqlite'));
}
