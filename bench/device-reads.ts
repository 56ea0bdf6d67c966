import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_SIZE_BYTES, KIB, MIB } from '../src/base/mod.ts';
import { mountBufferFile } from './support/buffer-file.ts';
import { type DeviceRig, execute, openSealed } from './support/device-rig.ts';
import type { DirectReading } from './support/direct-reader.ts';
import { medianOf } from './support/statistics.ts';

const ROUNDS = 5;
const DISK_BYTES = 128 * MIB;

async function readDirect(
  path: string,
  order: 'random' | 'sequential',
  requestBytes: number,
  requests: number,
): Promise<DirectReading> {
  const reader = join(import.meta.dirname, 'support/direct-reader.ts');
  const args = [reader, path, order, `${requestBytes}`, `${requests}`];
  return JSON.parse((await execute(process.execPath, args)).stdout) as DirectReading;
}

/** Rounds of both, one after the other, so that what else the machine does hits both. */
async function compare(
  rounds: number,
  device: string,
  reference: string,
  read: (path: string) => unknown,
) {
  const readings: { device: DirectReading[]; reference: DirectReading[] } = {
    device: [],
    reference: [],
  };
  for (let round = 0; round < rounds; round++) {
    readings.reference.push((await read(reference)) as DirectReading);
    readings.device.push((await read(device)) as DirectReading);
  }
  const summary = (all: readonly DirectReading[]) => ({
    p50Us: medianOf(all.map((each) => each.p50Us)),
    p99Us: medianOf(all.map((each) => each.p99Us)),
    megabytesPerSecond: medianOf(all.map((each) => each.bytesPerSecond)) / 1e6,
  });
  return { device: summary(readings.device), reference: summary(readings.reference) };
}

/** Reads that the memory tier answers, beside a FUSE file that answers from a buffer. */
export async function benchReads(rig: DeviceRig, quick: boolean) {
  const agents = rig.pool();
  const device = await openSealed(agents, await rig.seal(randomBytes(DISK_BYTES)));
  const reference = join(rig.directory, 'reference');
  const unmount = await mountBufferFile(reference, DISK_BYTES);
  try {
    await readFile(device.path);
    const rounds = quick ? 1 : ROUNDS;
    const random = await compare(rounds, device.path, reference, (path) =>
      readDirect(path, 'random', 4 * KIB, 20_000),
    );
    const sequential = await compare(rounds, device.path, reference, (path) =>
      readDirect(path, 'sequential', CHUNK_SIZE_BYTES, 2_000),
    );
    return { random4KiB: random, sequential512KiB: sequential };
  } finally {
    await unmount();
    await device.close();
    await agents.close();
  }
}
