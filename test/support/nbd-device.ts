import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MIB, noLogger, systemClock, systemRandom } from '../../src/base/mod.ts';
import { ChunkSlots } from '../../src/cache/mod.ts';
import { LocalDevice } from '../../src/device/mod.ts';
import { NbdServer } from '../../src/nbd/mod.ts';
import { directoryOrigin } from '../../src/origin/mod.ts';
import { sealDisk } from './sealed-disk.ts';
import { temporaryDirectory } from './temporary.ts';

export interface Served {
  readonly uri: string;
  readonly directory: string;
  readonly disk: Buffer;
  readonly file: string;
}

/** A device of random bytes with holes, exported on a unix socket; `file` holds the same bytes. */
export async function serveOverNbd(
  t: TestContext,
  writable: boolean,
  overlayLimitBytes = 32 * MIB,
) {
  const directory = temporaryDirectory(t, 'nbd');
  const stores = { clock: systemClock, random: systemRandom };
  const origin = directoryOrigin(join(directory, 'origin'), stores);
  const disk = randomBytes(12 * MIB);
  disk.fill(0, 2 * MIB, 5 * MIB);
  disk.fill(0, 8 * MIB + 4096, 8 * MIB + 8192);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  await mkdir(join(directory, 'overlays'));
  const device = await LocalDevice.open(
    { ...sealed, deviceId: 'disk', writable, overlayLimitBytes },
    {
      memory: new ChunkSlots(ChunkSlots.allocate(16 * MIB)),
      source: origin,
      tierOf: () => 'origin',
      overlayDirectory: join(directory, 'overlays'),
      ...stores,
    },
  );
  const server = new NbdServer([device], noLogger);
  const path = join(directory, 'socket');
  await server.listen({ path });
  t.after(async () => {
    await server.close();
    await device.close();
  });
  const file = join(directory, 'disk.raw');
  await writeFile(file, disk);
  const served: Served = { uri: `nbd+unix:///disk?socket=${path}`, directory, disk, file };
  return { ...served, device };
}
