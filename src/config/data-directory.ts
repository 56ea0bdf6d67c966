import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SluiceError, systemErrorCode } from '../base/mod.ts';

/** Where a region keeps what: every path below the data directory has its name here only. */
export interface DataDirectory {
  readonly path: string;
  /** The directory origin: roots with their chunks and manifests. */
  readonly origin: string;
  /** The local key service's keys; 0700. */
  readonly keys: string;
  /** Accounts' credentials for registries; a file an account, 0600. */
  readonly registryLogins: string;
  /** Databases that must survive: functions, queue, journal. */
  readonly state: string;
  /** The caches of this host; may be lost. */
  readonly cache: string;
  /** The chunks that all agents of this host share, as ciphertext; may be lost. */
  readonly slab: string;
  /** What its devices loaded from L2 and the origin, lately; may be lost. */
  readonly loadTrace: string;
  /** What zip functions stand on, gathered from this host; may be lost. */
  readonly runtimes: string;
  /** What belongs to a running process only, emptied at each start. */
  readonly run: string;
  /** What a flatten spools; emptied at each start. */
  readonly spool: string;
  /** Functions' logs. */
  readonly logs: string;
  /** What events' ends are written to that name a directory; a folder an account. */
  readonly destinations: string;
  /** What each function used. */
  readonly usageFile: string;
  /** Access keys in AWS's shared-credentials format; 0600. */
  readonly credentialsFile: string;
  /** Where the running region listens, for the command line. */
  readonly addressFile: string;
  readonly lockFile: string;
  /** Which region's each part is; the first is there while a region is made. */
  readonly regionFiles: { readonly making: string; readonly state: string; readonly keys: string };
  readonly configFile: string;
}

export function dataDirectory(path: string): DataDirectory {
  const root = resolve(path);
  return {
    path: root,
    origin: join(root, 'origin'),
    keys: join(root, 'keys'),
    registryLogins: join(root, 'keys', 'registries'),
    state: join(root, 'state'),
    cache: join(root, 'cache'),
    slab: join(root, 'cache', 'slab'),
    loadTrace: join(root, 'cache', 'loads'),
    runtimes: join(root, 'cache', 'runtimes'),
    run: join(root, 'run'),
    spool: join(root, 'spool'),
    logs: join(root, 'logs'),
    destinations: join(root, 'destinations'),
    usageFile: join(root, 'state', 'usage.json'),
    credentialsFile: join(root, 'credentials'),
    addressFile: join(root, 'address.json'),
    lockFile: join(root, 'lock'),
    regionFiles: {
      making: join(root, 'region.making'),
      state: join(root, 'state', 'region.json'),
      keys: join(root, 'keys', 'region.json'),
    },
    configFile: join(root, 'config.json'),
  };
}

/** Makes the folders that are absent; private to the user, since keys and disks rest there. */
export function ensureDataDirectory(path: string): DataDirectory {
  const data = dataDirectory(path);
  const folders = [
    data.path,
    data.origin,
    data.keys,
    data.state,
    data.cache,
    data.slab,
    data.run,
    data.spool,
    data.logs,
  ];
  for (const folder of folders) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new SluiceError(
        'CONFIG_INVALID',
        `${folder}: cannot make the data directory (${systemErrorCode(error) ?? 'unknown error'}); choose another with --data`,
        { cause: error },
      );
    }
  }
  return data;
}
