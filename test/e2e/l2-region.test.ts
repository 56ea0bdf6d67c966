import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  CreateFunctionCommand,
  InvokeCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { limits } from '../../src/base/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { endAll, startNodes } from '../support/l2-nodes.ts';
import { buildTestImage } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

async function create(region: RunningRegion, name: string, imageUri: string): Promise<void> {
  const client = region.client();
  await client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      PackageType: 'Image',
      Code: { ImageUri: imageUri },
      Role: 'arn:aws:iam::000000000000:role/any',
    }),
  );
  await waitUntilFunctionActiveV2(
    { client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 },
    { FunctionName: name },
  );
}

async function invoke(region: RunningRegion, name: string): Promise<void> {
  const command = new InvokeCommand({ FunctionName: name, Payload: '{"mode":"echo"}' });
  assert.equal((await region.client().send(command)).FunctionError, undefined);
}

/** Samples of `/metrics` by name and labels, once `ready` is content with them. */
async function metricsWhen(
  region: RunningRegion,
  ready: (samples: ReadonlyMap<string, number>) => boolean,
): Promise<ReadonlyMap<string, number>> {
  const untilMs = performance.now() + 15_000;
  for (;;) {
    const text = await (await fetch(`${region.endpoint}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const samples = new Map(
      lines.map((line): [string, number] => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
    );
    if (ready(samples)) return samples;
    if (performance.now() > untilMs) assert.fail(`not in the metrics:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const loadsFrom = (tier: string) => `sluice_chunk_loads_total{tier="${tier}"}`;

describe('a region with cache nodes', { skip: lacks }, () => {
  test('shows what its agents met, traces loads, and follows the list of nodes', async (t) => {
    const directory = temporaryDirectory(t, 'l2-region');
    const data = join(directory, 'data');
    const image = await buildTestImage(join(directory, 'image'));
    const nodes = await startNodes({ directory, count: 6, memoryBytes: 64 << 20 });
    t.after(() => endAll(nodes));
    const list = join(directory, 'nodes');
    const write = (some: typeof nodes) =>
      writeFileSync(list, some.map(({ address }) => `${address}\n`).join(''));
    write(nodes);
    const l2 = ['--l2', `@${list}`, '--l2-secret-file', join(directory, 'secret')];

    const region = await startRegion(t, data, l2);
    await create(region, 'f', image);
    await invoke(region, 'f');
    const stored = 'sluice_l2_uploads_total{outcome="stored"}';
    const first = await metricsWhen(
      region,
      (samples) => (samples.get(stored) ?? 0) >= 5 * (samples.get(loadsFrom('origin')) ?? 1),
    );
    const loads = first.get(loadsFrom('origin')) ?? 0;
    assert.ok(loads > 10);
    assert.equal(first.get('sluice_l2_reads_total{outcome="miss"}'), loads);
    assert.ok((first.get('sluice_origin_chunk_gets_total{outcome="ok"}') ?? 0) >= loads);
    assert.equal(await region.stop(), 0);

    const sluice = join(repositoryRoot, 'bin/sluice');
    const sized = await runOrThrow(sluice, ['cache', 'size', '--data', data, '--json']);
    assert.equal((JSON.parse(sized) as { loads: number }).loads, loads);

    // Another worker of the zone, whose own cache is empty; a node leaves under it, and is ended.
    rmSync(join(data, 'cache'), { recursive: true });
    const again = await startRegion(t, data, l2);
    write(nodes.slice(1));
    await new Promise((resolve) => setTimeout(resolve, 1.5 * limits.l2.membershipPollMs));
    await nodes[0]!.end('SIGKILL');
    await invoke(again, 'f');
    const second = await metricsWhen(again, (samples) => samples.has(loadsFrom('l2')));
    const hits = second.get(loadsFrom('l2')) ?? 0;
    const missed = second.get(loadsFrom('origin')) ?? 0;
    assert.ok(hits > 10 && missed < hits / 2, `${hits} from L2, ${missed} from the origin`);
    assert.ok((second.get('sluice_l2_seconds_count') ?? 0) >= hits);
  });
});
