import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { hostState, leftovers } from '../support/leftovers.ts';
import { buildTestImage } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';

// Runs alone: it compares all mounts, loop devices and processes of the host.
const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

async function createAndInvoke(region: RunningRegion, name: string, imageUri: string) {
  await createImageFunction(region.client(), name, imageUri);
  return invoke(region, name);
}

async function invoke(region: RunningRegion, name: string) {
  const answer = await region
    .client()
    .send(new InvokeCommand({ FunctionName: name, Payload: '{"mode":"echo","word":"here"}' }));
  return JSON.parse(Buffer.from(answer.Payload ?? []).toString('utf8')).word;
}

describe('a region that ends', { skip: lacks }, () => {
  const scratch = scratchDirectory('crash');
  const data = join(scratch.path, 'data');
  let image: string;
  before(async () => {
    image = await buildTestImage(join(scratch.path, 'image'));
  });
  after(() => scratch.remove());

  test('by SIGTERM leaves nothing behind and keeps its functions', async (t) => {
    const before = hostState();
    const region = await startRegion(t, data);
    assert.equal(await createAndInvoke(region, 'kept', image), 'here');
    assert.equal(await region.stop(), 0);
    assert.deepEqual(await leftovers(before), []);
  });

  test('by kill -9, with a sandbox alive, leaves no process, mount or loop device', async (t) => {
    const before = hostState();
    const region = await startRegion(t, data);
    assert.equal(await invoke(region, 'kept'), 'here');
    assert.ok((await leftovers(before, 0)).length > 0, 'the test sees a live sandbox');
    await region.kill();
    const left = await leftovers(before);
    assert.deepEqual(
      left.filter((line) => !line.startsWith('/sys/fs/cgroup')),
      [],
    );
    const again = await startRegion(t, data);
    const listed = await again.client().send(new ListFunctionsCommand({}));
    assert.deepEqual(
      listed.Functions?.map((each) => each.FunctionName),
      ['kept'],
    );
    assert.equal(await invoke(again, 'kept'), 'here');
    assert.equal(await again.stop(), 0);
    assert.deepEqual(await leftovers(before), []);
  });
});
