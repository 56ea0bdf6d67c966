import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Accounts, RegistryLogins } from '../../src/accounts/mod.ts';
import { systemClock, systemRandom } from '../../src/base/mod.ts';
import { ensureDataDirectory } from '../../src/config/mod.ts';
import { DirectoryObjects } from '../../src/origin/directory-objects.ts';
import { directoryOrigin, LocalKeyService } from '../../src/origin/mod.ts';
import { SqliteEventQueue } from '../../src/queue/mod.ts';
import {
  DirectoryCodeArchive,
  SqliteEventSourceMappings,
  SqliteFunctionStore,
  SqliteLayerStore,
} from '../../src/records/mod.ts';

const options = { clock: systemClock, random: systemRandom };

/** Every kind of store that answers only for what survives a loss of power. */
export async function openAllStores(directory: string) {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  return {
    queue: await SqliteEventQueue.open({ path: at('events.sqlite') }),
    functions: SqliteFunctionStore.open(at('functions.sqlite')),
    layers: SqliteLayerStore.open(at('layers.sqlite')),
    mappings: SqliteEventSourceMappings.open(at('mappings.sqlite')),
    accounts: Accounts.open(
      ensureDataDirectory(at('data')),
      systemClock,
      systemRandom,
      (_, error) => {
        throw error;
      },
    ),
    archives: new DirectoryCodeArchive(at('archives'), systemRandom),
    logins: new RegistryLogins({ directory: at('registries'), shared: false }),
    keys: new LocalKeyService(at('keys'), systemClock, systemRandom),
    origin: directoryOrigin(at('origin'), options),
    objects: new DirectoryObjects(at('origin'), systemClock, systemRandom),
  };
}

export type AllStores = Awaited<ReturnType<typeof openAllStores>>;
