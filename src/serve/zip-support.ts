import { join } from 'node:path';
import { systemRandom } from '../base/mod.ts';
import { readSettings } from '../config/mod.ts';
import {
  RuntimeBases,
  RuntimeZipInstaller,
  S3CodeObjects,
  type ZipSupport,
} from '../install/mod.ts';
import { DirectoryCodeArchive, SqliteLayerStore } from '../records/mod.ts';
import type { Stores } from './stores.ts';

/** Zip functions and layers on a data directory. */
export async function openZipSupport({ data, installer }: Stores): Promise<ZipSupport> {
  const settings = readSettings(data.configFile);
  const bases = new RuntimeBases({
    directory: data.runtimes,
    configured: settings.runtime,
    sdk: settings.sdk,
    random: systemRandom,
  });
  const archive = new DirectoryCodeArchive(join(data.state, 'archives'), systemRandom);
  await archive.removeUnfinished();
  const { s3 } = settings.code;
  return {
    ...(s3 && { objects: new S3CodeObjects(s3) }),
    namedBases: Object.keys(settings.runtime),
    architecture: process.arch === 'arm64' ? 'arm64' : 'x86_64',
    archive,
    installer: new RuntimeZipInstaller(installer, bases),
    layers: SqliteLayerStore.open(join(data.state, 'layers.sqlite')),
  };
}
