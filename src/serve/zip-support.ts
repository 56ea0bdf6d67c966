import { join } from 'node:path';
import { systemRandom } from '../base/mod.ts';
import { readSettings } from '../config/mod.ts';
import type { ZipSupport } from '../frontend/mod.ts';
import { DirectoryCodeArchive, SqliteLayerStore } from '../functions/mod.ts';
import { RuntimeBases } from './runtime-bases.ts';
import type { Stores } from './stores.ts';
import { RuntimeZipInstaller } from './zip-installer.ts';

/** Zip functions and layers on a data directory. */
export function openZipSupport({ data, installer }: Stores): ZipSupport {
  const settings = readSettings(data.configFile);
  const bases = new RuntimeBases({
    directory: data.runtimes,
    configured: settings.runtime,
    random: systemRandom,
  });
  return {
    installer: new RuntimeZipInstaller(installer, bases),
    archive: new DirectoryCodeArchive(join(data.state, 'archives'), systemRandom),
    layers: SqliteLayerStore.open(join(data.state, 'layers.sqlite')),
  };
}
