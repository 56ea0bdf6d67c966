import { join } from 'node:path';
import { openKeyService, openLocalKeys, RegistryLogins } from '../accounts/mod.ts';
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
import { Jails } from '../isolation/mod.ts';
import { type Origin, type OriginPlace, openOrigin, originPlace } from '../origin/mod.ts';
import { SqliteFunctionStore } from '../records/mod.ts';
import type { KeyService } from '../seal/mod.ts';
import { RegionIdentity } from './region-identity.ts';

/** What rests in a data directory and may be used with or without a region running on it. */
export interface Stores {
  readonly data: DataDirectory;
  readonly settings: Settings;
  readonly place: OriginPlace;
  readonly origin: Origin;
  readonly keyService: KeyService;
  readonly images: ImageCatalogue;
  readonly installer: ImageInstaller;
  readonly jails: Jails;
  readonly identity: RegionIdentity;
}

/** Settings, origin and whose they are, without keys; nothing is checked yet. */
export async function openPlaces(
  dataPath: string,
  meter: Meter = noMeter,
  logger: Logger = noLogger,
) {
  const data = ensureDataDirectory(dataPath);
  const settings = readSettings(data.configFile);
  const place = originPlace(settings.origin, data);
  const origin = await openOrigin(place, meter, logger);
  const { keys } = settings;
  const identity = new RegionIdentity({ data, origin, place, keys, random: systemRandom });
  return { data, settings, place, origin, identity };
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
  meter: Meter = noMeter,
  logger: Logger = noLogger,
): Promise<Stores> {
  const places = await openPlaces(dataPath, meter, logger);
  const { data, settings, place, origin } = places;
  await places.identity.check();
  const keyService = openKeyService(settings.keys, data);
  const { jail, firstUid } = settings.helpers;
  const jails = new Jails({ random: systemRandom, firstUid, enabled: jail === 'on' });
  const installer = new ImageInstaller({
    jails,
    data,
    place,
    origin,
    keyService,
    dedupSecret: () => openLocalKeys(data).dedupSecret(),
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
    keyService,
    installer,
    jails,
    images: new ImageCatalogue(origin),
  };
}

/** The functions of a data directory; any number of processes may have them open. */
export function openFunctions(data: DataDirectory): SqliteFunctionStore {
  return SqliteFunctionStore.open(join(data.state, 'functions.sqlite'));
}
