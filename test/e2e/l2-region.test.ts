import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { InvokeCommand, PublishVersionCommand } from '@aws-sdk/client-lambda';
import { limits } from '../../src/base/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { endAll, startNodes } from '../support/l2-nodes.ts';
import { buildTestImage } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

async function create(region: RunningRegion, name: string, imageUri: string): Promise<void> {
  await createImageFunction(region.client(), name, imageUri, { Timeout: 60 });
}

async function invoke(region: RunningRegion, name: string, Qualifier?: string): Promise<void> {
  const Payload = '{"mode":"echo"}';
  const command = new InvokeCommand({ FunctionName: name, Qualifier, Payload });
  assert.equal((await region.client().send(command)).FunctionError, undefined);
}

/** Samples of `/metrics` by name and labels, once `ready` is content with them. */
async function metricsWhen(
  region: RunningRegion,
  ready: (samples: ReadonlyMap<string, number>) => boolean,
): Promise<ReadonlyMap<string, number>> {
  let text = '';
  let samples: ReadonlyMap<string, number> = new Map();
  await until(
    () => `in the metrics:\n${text}`,
    async () => {
      text = await (await fetch(`${region.endpoint}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      samples = new Map(
        lines.map((line): [string, number] => {
          const at = line.lastIndexOf(' ');
          return [line.slice(0, at), Number(line.slice(at + 1))];
        }),
      );
      return ready(samples);
    },
  );
  return samples;
}

/** Two cold versions at once, where one cold start is allowed: one is answered, one refused. */
async function invokeTwoCold(region: RunningRegion, name: string): Promise<void> {
  const both = await Promise.allSettled([invoke(region, name), invoke(region, name, '1')]);
  const refused = both.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
  const said = refused.map(({ name: type, Reason }) => [type, Reason]);
  assert.deepEqual(said, [['TooManyRequestsException', 'ConcurrentInvocationLimitExceeded']]);
}

const loadsFrom = (tier: string) => `sluice_chunk_loads_total{tier="${tier}"}`;

describe('a region with cache nodes', { skip: lacks }, () => {
  test('shows what agents met, traces loads, follows the list of nodes, limits starts', async (t) => {
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

    const sluice = join(repositoryRoot, 'bin/sluice');
    await runOrThrow(sluice, ['config', 'set', 'starts.perAccount', '1', '--data', data]);
    const region = await startRegion(t, data, l2);
    await create(region, 'f', image);
    await region.client().send(new PublishVersionCommand({ FunctionName: 'f' }));
    await invoke(region, 'f');
    const stored = 'sluice_l2_uploads_total{outcome="stored"}';
    // Not five stripes of each: a node that was late for a read is not given what it lacks.
    let [loads, sinceMs] = [0, 0];
    const first = await metricsWhen(region, (samples) => {
      const now = samples.get(loadsFrom('origin')) ?? 0;
      if (now !== loads) [loads, sinceMs] = [now, performance.now()];
      // An agent reports what it has counted so far, in the midst of a start too.
      const isOver = performance.now() - sinceMs > 1.5 * limits.relay.everyMs;
      return isOver && loads > 0 && (samples.get(stored) ?? 0) >= 4 * loads;
    });
    assert.ok(loads > 10);
    assert.equal(first.get('sluice_l2_reads_total{outcome="miss"}'), loads);
    assert.ok((first.get('sluice_origin_chunk_gets_total{outcome="ok"}') ?? 0) >= loads);
    assert.equal(await region.stop(), 0);

    const sized = await runOrThrow(sluice, ['cache', 'size', '--data', data, '--json']);
    assert.equal((JSON.parse(sized) as { loads: number }).loads, loads);

    // Another worker of the zone, whose own cache is empty; a node leaves under it, and is ended.
    rmSync(join(data, 'cache'), { recursive: true });
    // What is in L2 are the chunks of the disk; a start pack would leave most of them there.
    for (const root of readdirSync(join(data, 'origin/roots'))) {
      rmSync(join(data, 'origin/roots', root, 'packs'), { recursive: true, force: true });
    }
    const again = await startRegion(t, data, l2);
    write(nodes.slice(1));
    await new Promise((resolve) => setTimeout(resolve, 1.5 * limits.l2.membershipPollMs));
    await nodes[0]!.end('SIGKILL');
    await invokeTwoCold(again, 'f');
    const second = await metricsWhen(again, (samples) => samples.has(loadsFrom('l2')));
    const hits = second.get(loadsFrom('l2')) ?? 0;
    assert.ok(hits > 10, `${hits} from L2`);
    assert.ok((second.get('sluice_l2_seconds_count') ?? 0) >= hits);
    assert.equal(second.get('sluice_invokes_refused_total{reason="starts-per-account"}'), 1);
  });
});
