import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { S3Server } from '../../test/support/s3-server.ts';
import { type SealedDisk, sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import {
  CHUNK_SIZE_BYTES,
  limits,
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

export interface WorkingSet {
  /** Of random bytes, all of which each start reads. */
  readonly diskBytes: number;
  /** Of the tiers that starts find on the host. */
  readonly memoryBytes: number;
  readonly slabBytes: number;
}

/** A region's parts of one host: an S3 origin, a slab, and agents. */
async function rig(t: TestContext, { memoryBytes, slabBytes }: WorkingSet) {
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
    memoryBytes,
    slab: { directory: slab, limitBytes: slabBytes },
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

/**
 * The bytes that each of three starts, one after the other and each with an agent that knows nothing
 * yet, fetched from the origin.
 */
export async function bytesOfThreeStarts(t: TestContext, set: WorkingSet): Promise<number[]> {
  const { directory, origin, settings, slab, fetched } = await rig(t, set);
  const { diskBytes } = set;
  const disk = randomBytes(diskBytes);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  const bytesOfStarts: number[] = [];
  for (const start of ['first', 'second', 'third']) {
    const before = fetched().length;
    await readWhole(start, sealed, async () => {
      // What the last moment brought is written once the start is over, by an agent that lives on.
      const chunks = diskBytes / CHUNK_SIZE_BYTES;
      let [last, sinceMs] = [0, 0];
      await until('the slab has taken what it takes', () => {
        const now = kept(slab);
        if (now !== last) [last, sinceMs] = [now, performance.now()];
        const isOver = performance.now() - sinceMs > 3 * limits.cache.slabQuietMs;
        return isOver && now >= chunks * 0.98;
      });
    });
    bytesOfStarts.push((fetched().length - before) * CHUNK_SIZE_BYTES);
  }
  return bytesOfStarts;

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
      for (let at = 0; at < diskBytes; at += piece.length) {
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
}
