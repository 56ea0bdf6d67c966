import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { cgroupsOfRegion, RegionTraces } from '../support/leftovers.ts';
import { prepareData } from '../support/prepared-data.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';

const isCgroup = /^\/sys\/fs\/cgroup/;
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
    image = await prepareData(data);
  });
  after(() => scratch.remove());

  test('by SIGTERM leaves nothing behind and keeps its functions', async (t) => {
    const traces = new RegionTraces(data);
    const region = await startRegion(t, data);
    assert.equal(await createAndInvoke(region, 'kept', image), 'here');
    traces.note(region.process.pid ?? 0);
    assert.equal(await region.stop(), 0);
    await traces.gone();
  });

  test('by kill -9, with a sandbox alive, leaves no process, mount or loop device', async (t) => {
    const traces = new RegionTraces(data);
    const region = await startRegion(t, data);
    assert.equal(await invoke(region, 'kept'), 'here');
    traces.note(region.process.pid ?? 0);
    for (const kind of [/^\d+,/, /^loop/, isCgroup]) {
      assert.ok(
        traces.present.some((trace) => kind.test(trace)),
        `the test sees a live sandbox by ${kind}`,
      );
    }
    await region.kill();
    await traces.gone((trace) => isCgroup.test(trace));
    assert.ok(cgroupsOfRegion(data).length > 0, 'what a run left behind is found by its name');
    const again = await startRegion(t, data);
    const listed = await again.client().send(new ListFunctionsCommand({}));
    assert.deepEqual(
      listed.Functions?.map((each) => each.FunctionName),
      ['kept'],
    );
    assert.equal(await invoke(again, 'kept'), 'here');
    traces.note(again.process.pid ?? 0);
    assert.equal(await again.stop(), 0);
    await traces.gone();
    assert.deepEqual(cgroupsOfRegion(data), []);
  });
});
