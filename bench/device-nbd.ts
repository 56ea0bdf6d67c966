import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { MIB, noLogger, systemClock, systemRandom } from '../src/base/mod.ts';
import { ChunkSlots } from '../src/cache/mod.ts';
import { LocalDevice } from '../src/device/mod.ts';
import { NbdServer } from '../src/nbd/mod.ts';
import { directoryOrigin } from '../src/origin/mod.ts';
import { type DeviceRig, execute } from './support/device-rig.ts';
import { medianOf } from './support/statistics.ts';

const DISK_BYTES = 256 * MIB;
const ROUNDS = 5;

async function copySeconds(socket: string): Promise<number> {
  const startedMs = performance.now();
  await execute('nbdcopy', ['--connections=2', `nbd+unix:///?socket=${socket}`, 'null:']);
  return (performance.now() - startedMs) / 1000;
}

async function nbdkit(file: string, socket: string): Promise<ChildProcess> {
  const server = spawn('nbdkit', ['-f', '-r', '-U', socket, 'file', file], { stdio: 'ignore' });
  while (!existsSync(socket)) await systemClock.sleep(10);
  return server;
}

/** `nbdcopy` of a device whose chunks are in memory, beside nbdkit serving the plain file. */
export async function benchNbd(rig: DeviceRig, quick: boolean) {
  const { directory, originDirectory } = rig;
  const disk = randomBytes(DISK_BYTES);
  const file = join(directory, 'nbd.raw');
  await writeFile(file, disk);
  const sealed = await rig.seal(disk);
  const overlayDirectory = join(directory, 'nbd-overlays');
  await mkdir(overlayDirectory);
  const stores = { clock: systemClock, random: systemRandom };
  const origin = directoryOrigin(originDirectory, stores);
  const device = await LocalDevice.open(
    { ...sealed, deviceId: 'nbd', writable: false },
    {
      memory: new ChunkSlots(ChunkSlots.allocate(2 * DISK_BYTES)),
      source: origin,
      near: {
        readIntoSync: (ref, into) => (origin.readIntoSync(ref, into) ? 'origin' : undefined),
        readInto: async (ref, into) => ((await origin.readInto(ref, into)) ? 'origin' : undefined),
      },
      tierOf: () => 'origin',
      overlayDirectory,
      ...stores,
    },
  );
  const server = new NbdServer([device], noLogger);
  const ours = join(directory, 'ours.sock');
  const theirs = join(directory, 'nbdkit.sock');
  await server.listen({ path: ours });
  const reference = await nbdkit(file, theirs);
  try {
    const firstSeconds = await copySeconds(ours);
    const times = { device: [] as number[], nbdkit: [] as number[] };
    for (let round = 0; round < (quick ? 2 : ROUNDS); round++) {
      times.nbdkit.push(await copySeconds(theirs));
      times.device.push(await copySeconds(ours));
    }
    const speed = (seconds: number) => DISK_BYTES / 1e6 / seconds;
    return {
      coldMegabytesPerSecond: speed(firstSeconds),
      megabytesPerSecond: speed(medianOf(times.device)),
      nbdkitMegabytesPerSecond: speed(medianOf(times.nbdkit)),
    };
  } finally {
    reference.kill();
    await server.close();
    await device.close();
  }
}
