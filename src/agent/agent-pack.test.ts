import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  CHUNK_SIZE_BYTES,
  MIB,
  noLogger,
  PAGE_SIZE_BYTES,
  systemClock,
  systemRandom,
} from '../base/mod.ts';
import { AgentPool, type Device } from '../device/mod.ts';
import { directoryOrigin } from '../origin/mod.ts';
import { readManifestHeader } from '../seal/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { spawnAgent } from './spawn-agent.ts';

const CHUNKS = 8;
const READS = Array.from({ length: CHUNKS }, (_, index) => index * CHUNK_SIZE_BYTES + 40_960);

async function readAll(device: Device, disk: Buffer): Promise<void> {
  const file = await open(device.path, 'r');
  try {
    for (const at of READS) {
      const page = Buffer.alloc(PAGE_SIZE_BYTES);
      await file.read(page, 0, PAGE_SIZE_BYTES, at);
      assert.ok(disk.subarray(at, at + PAGE_SIZE_BYTES).equals(page), `page at ${at}`);
    }
  } finally {
    await file.close();
  }
}

test('an agent makes a start pack, and another starts from it alone', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const directory = temporaryDirectory(t, 'agent-pack');
  const originDirectory = join(directory, 'origin');
  const origin = directoryOrigin(originDirectory, { clock: systemClock, random: systemRandom });
  const disk = randomBytes(CHUNKS * CHUNK_SIZE_BYTES);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  await origin.putManifest(sealed.rootId, sealed.manifestId, sealed.manifestBytes);
  const settings = {
    origin: { kind: 'directory', directory: originDirectory },
    memoryBytes: 32 * MIB,
  } as const;
  const agentsIn = (name: string) => {
    const agents = new AgentPool<AgentSettings>({
      spawn: (place) => spawnAgent(place),
      directory: join(directory, name),
      settings,
      spareAgents: 0,
      clock: systemClock,
      random: systemRandom,
      logger: noLogger,
    });
    t.after(() => agents.close());
    return agents;
  };
  const request = { ...sealed, deviceId: 'device', writable: false };

  const first = await agentsIn('first').open({ ...request, record: true });
  await readAll(first, disk);
  const runs = (await first.accessRuns()).map(([page, pages]) => [page, pages] as const);
  const { index, chunks } = await first.pack(runs);
  for (const { name, ciphertext } of chunks) {
    await origin.put({ rootId: sealed.rootId, name }, Buffer.from(ciphertext));
  }
  await origin.putPack(sealed.rootId, sealed.manifestId, Buffer.from(index));

  const { pack } = await origin.findDisk(sealed.manifestId);
  assert.ok(pack);
  const second = await agentsIn('second').open({ ...request, pack });
  await readAll(second, disk);
  const { chunksFetched } = await second.stats();
  const packChunks = new Set(readManifestHeader(pack).names()).size;
  assert.ok(packChunks < CHUNKS);
  assert.equal(chunksFetched, packChunks);
});
