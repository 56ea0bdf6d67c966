import { join } from 'node:path';
import {
  type Logger,
  type Meter,
  noLogger,
  noMeter,
  systemClock,
  systemRandom,
} from '../base/mod.ts';
import { type DataDirectory, ensureDataDirectory } from '../config/mod.ts';
import { SqliteFunctionStore } from '../functions/mod.ts';
import { directoryOrigin, LocalKeyService, type Origin } from '../origin/mod.ts';
import { ImageCatalogue } from './image-catalogue.ts';
import { ImageInstaller } from './image-installer.ts';

/** What rests in a data directory and may be used with or without a region running on it. */
export interface Stores {
  readonly data: DataDirectory;
  readonly origin: Origin;
  readonly keyService: LocalKeyService;
  readonly images: ImageCatalogue;
  readonly installer: ImageInstaller;
}

export function openStores(
  dataPath: string,
  meter: Meter = noMeter,
  logger: Logger = noLogger,
): Stores {
  const data = ensureDataDirectory(dataPath);
  const origin = directoryOrigin(data.origin, {
    clock: systemClock,
    random: systemRandom,
    meter,
    logger,
  });
  const keyService = new LocalKeyService(data.keys, systemClock, systemRandom);
  const installer = new ImageInstaller({ data, origin, keyService, random: systemRandom });
  return { data, origin, keyService, installer, images: new ImageCatalogue(origin) };
}

/** The functions of a data directory; any number of processes may have them open. */
export function openFunctions(data: DataDirectory): SqliteFunctionStore {
  return SqliteFunctionStore.open(join(data.state, 'functions.sqlite'));
}
