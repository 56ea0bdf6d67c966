import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { noLogger, noMeter, systemClock, systemRandom } from '../../src/base/mod.ts';
import { dataDirectory } from '../../src/config/mod.ts';
import { LocalKeyService, openOrigin } from '../../src/origin/mod.ts';
import { openManifest, unwrapDataKey } from '../../src/seal/mod.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { buildTestImage } from '../support/node-image.ts';
import { childrenOf, inMemoryOf } from '../support/process-memory.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

/** Every key that the region's functions hang on, in clear. */
async function keysOf(path: string): Promise<Record<string, Buffer>> {
  const data = dataDirectory(path);
  const origin = await openOrigin({ kind: 'directory', directory: data.origin }, noMeter, noLogger);
  const service = new LocalKeyService(data.keys, systemClock, systemRandom);
  const found: Record<string, Buffer> = {
    'the master key': readFileSync(join(data.keys, 'master.key')),
    'the deduplication secret': readFileSync(join(data.keys, 'dedup.secret')),
  };
  for (const { rootId } of await origin.listRoots()) {
    for await (const manifestId of origin.listManifests(rootId)) {
      const { bytes } = await origin.findManifest(manifestId);
      const dataKey = await unwrapDataKey(bytes, service);
      found['a data key'] = dataKey;
      found['a chunk’s key'] = Buffer.from(openManifest(bytes, dataKey).chunkKey(0));
    }
  }
  assert.equal(Object.keys(found).length, 4);
  return found;
}

async function invoke(region: RunningRegion, name: string): Promise<void> {
  const command = new InvokeCommand({ FunctionName: name, Payload: '{"mode":"echo"}' });
  const { FunctionError } = await region.client().send(command);
  assert.equal(FunctionError, undefined);
}

describe('keys in clear', { skip: lacks }, () => {
  const scratch = scratchDirectory('keys-in-memory');
  const data = join(scratch.path, 'data');
  let image: string;
  before(async () => {
    image = await buildTestImage(join(scratch.path, 'image'));
  });
  after(() => scratch.remove());

  test('are never in the region’s own process, not by a create and not by a start', async (t) => {
    const region = await startRegion(t, data);
    const pid = region.process.pid ?? 0;
    const name = 'kept-out-of-memory';
    await createImageFunction(region.client(), name, image);
    await invoke(region, name);
    const keys = await keysOf(data);
    const control = { 'the function’s name': Buffer.from(name) };
    assert.deepEqual(inMemoryOf(pid, { ...keys, ...control }), Object.keys(control));
    const [warden = 0] = childrenOf(pid, 'warden-main');
    assert.deepEqual(inMemoryOf(warden, keys), [], 'nor in that of who starts all else');
    const agents = childrenOf(warden, 'agent-main').map((agent) => inMemoryOf(agent, keys));
    assert.ok(
      agents.some((held) => held.includes('a chunk’s key')),
      'the search finds keys',
    );
    for (const held of agents) {
      for (const key of ['the master key', 'the deduplication secret']) {
        assert.ok(!held.includes(key), key);
      }
    }
  });
});
