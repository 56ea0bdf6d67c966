import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { S3Server } from '../../test/support/s3-server.ts';
import { type SealedDisk, sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import {
  CHUNK_SIZE_BYTES,
  MIB,
  noLogger,
  noMeter,
  systemClock,
  systemRandom,
} from '../base/mod.ts';
import { AgentPool } from '../device/mod.ts';
import { openOrigin } from '../origin/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { spawnAgent } from './spawn-agent.ts';

const DISK_BYTES = 96 * MIB;
const CHUNKS = DISK_BYTES / CHUNK_SIZE_BYTES;

/** A region's parts of one host: an S3 origin, a slab, and agents of a small memory. */
async function rig(t: TestContext) {
  const directory = temporaryDirectory(t, 'working-set');
  const credential = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const s3 = new S3Server([credential]);
  const endpoint = await s3.listen();
  t.after(() => s3.close());
  const before = { ...process.env };
  process.env['AWS_ACCESS_KEY_ID'] = credential.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = credential.secretAccessKey;
  t.after(() => {
    process.env = before;
  });
  const place = { kind: 's3', bucket: s3.bucket, region: 'us-east-1', endpoint } as const;
  const origin = await openOrigin(place, noMeter, noLogger);
  const slab = join(directory, 'slab');
  const settings: AgentSettings = {
    origin: place,
    memoryBytes: 16 * MIB,
    slab: { directory: slab, limitBytes: 512 * MIB },
  };
  const fetched = () => s3.requests.filter(({ action, key }) => action === 'get' && isChunk(key));
  return { directory, origin, settings, slab, fetched };
}

const isChunk = (key: string) => /[0-9a-f]{64}$/.test(key);

/** How many chunks the slab's index has. */
function kept(slab: string): number {
  const index = readdirSync(slab).find((name) => name.endsWith('.index'));
  const bytes = index === undefined ? Buffer.alloc(0) : readFileSync(join(slab, index));
  let count = 0;
  for (let at = 0; at + 64 <= bytes.length; at += 64)
    count += bytes.readDoubleLE(at + 32) > 0 ? 1 : 0;
  return count;
}

test('after a start that reads more than memory holds, the next has nothing to fetch', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { directory, origin, settings, slab, fetched } = await rig(t);
  const disk = randomBytes(DISK_BYTES);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  const bytesOfStarts: number[] = [];
  for (const start of ['first', 'second', 'third']) {
    const before = fetched().length;
    await readWhole(start, sealed, async () => {
      // What the last moment brought is written once the start is over.
      if (start !== 'first') return;
      await until('the slab has the chunks', () => kept(slab) >= CHUNKS * 0.98);
    });
    bytesOfStarts.push((fetched().length - before) * CHUNK_SIZE_BYTES);
  }
  assert.equal(bytesOfStarts[0], DISK_BYTES);
  assert.ok(bytesOfStarts[1]! <= DISK_BYTES * 0.02, `the second start read ${bytesOfStarts[1]}`);
  assert.ok(bytesOfStarts[2]! <= DISK_BYTES * 0.02, `the third start read ${bytesOfStarts[2]}`);

  /** Reads a whole device of an agent that knows nothing yet. */
  async function readWhole(name: string, sealed: SealedDisk, after: () => Promise<void>) {
    const agents = new AgentPool<AgentSettings>({
      spawn: (place) => spawnAgent(place),
      directory: join(directory, `agents-${name}`),
      ...{ settings, spareAgents: 0 },
      ...{ clock: systemClock, random: systemRandom, logger: noLogger },
    });
    try {
      const device = await agents.open({
        ...sealed,
        ...{ deviceId: name, writable: false, overlayLimitBytes: 1 * MIB },
      });
      const file = await open(device.path);
      const piece = Buffer.alloc(4 * MIB);
      for (let at = 0; at < DISK_BYTES; at += piece.length) {
        await file.read(piece, 0, piece.length, at);
        assert.ok(piece.equals(disk.subarray(at, at + piece.length)), `bytes at ${at}`);
      }
      await file.close();
      await after();
      await device.close();
    } finally {
      await agents.close();
    }
  }
});
