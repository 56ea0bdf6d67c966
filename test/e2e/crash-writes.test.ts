import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionCommand,
  GetPolicyCommand,
  type GetPolicyCommandOutput,
  InvokeCommand,
  type LambdaClient,
  ListAliasesCommand,
  PublishVersionCommand,
  PutFunctionEventInvokeConfigCommand,
  paginateListFunctions,
  paginateListVersionsByFunction,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { writeImageLayout } from '../../src/oci/mod.ts';
import { hostLacks } from '../support/host.ts';
import { prepareData } from '../support/prepared-data.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');
const ROUNDS = 3;
const WRITING_MS_MOST = 1500;
const FunctionName = 'f';
const Role = 'arn:aws:iam::000000000000:role/any';

type Kind = 'functions' | 'versions' | 'aliases' | 'statements' | 'events';

/** What a region has acknowledged, over all its lives. */
class Acknowledged {
  readonly #names: Record<Kind, Set<string>> = {
    functions: new Set([FunctionName]),
    versions: new Set(),
    aliases: new Set(),
    statements: new Set(),
    events: new Set(),
  };

  add(kind: Kind, name: string | undefined): void {
    assert.ok(name);
    this.#names[kind].add(name);
  }

  count(kind: Kind): number {
    return this.#names[kind].size;
  }

  get all(): number {
    return Object.values(this.#names).reduce((sum, { size }) => sum + size, 0);
  }

  lost(kind: Kind, found: Iterable<string | undefined>): string[] {
    const there = new Set(found);
    return [...this.#names[kind]].filter((name) => !there.has(name));
  }
}

/** Writes of every kind, side by side, each as soon as the one before is acknowledged. */
async function writeUntilKilled(
  client: LambdaClient,
  round: number,
  layout: string,
  acknowledged: Acknowledged,
): Promise<void> {
  let killed = false;
  const loop = async (kind: Kind, most: number, write: (name: string) => Promise<unknown>) => {
    for (let n = 0; n < most && !killed; n++) {
      const name = `${kind}-${round}-${n}`;
      try {
        const acknowledgedAs = await write(name);
        acknowledged.add(kind, typeof acknowledgedAs === 'string' ? acknowledgedAs : name);
      } catch (error) {
        // An update that is under way refuses the next one; the region that is gone answers none.
        if (!(error instanceof Error && error.name === 'ResourceConflictException')) killed = true;
      }
      await sleep(5);
    }
  };
  await Promise.all([
    loop('functions', 4, (name) =>
      client.send(
        new CreateFunctionCommand({
          FunctionName: name,
          PackageType: 'Image',
          Code: { ImageUri: `oci:${layout}` },
          Role,
        }),
      ),
    ),
    loop('versions', 1000, async (Description) => {
      await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Description }));
      return (await client.send(new PublishVersionCommand({ FunctionName }))).Version;
    }),
    loop('aliases', 40, (Name) =>
      client.send(new CreateAliasCommand({ FunctionName, Name, FunctionVersion: '1' })),
    ),
    loop('statements', 15, (StatementId) =>
      client.send(
        new AddPermissionCommand({
          ...{ FunctionName, StatementId },
          ...{ Action: 'lambda:InvokeFunction', Principal: '111122223333' },
        }),
      ),
    ),
    loop('events', 1000, (name) =>
      client.send(
        new InvokeCommand({
          ...{ FunctionName, InvocationType: 'Event' },
          Payload: JSON.stringify({ mode: 'echo', name }),
        }),
      ),
    ),
  ]);
}

async function assertKept(client: LambdaClient, acknowledged: Acknowledged): Promise<void> {
  const functions: (string | undefined)[] = [];
  for await (const page of paginateListFunctions({ client }, {})) {
    functions.push(...(page.Functions ?? []).map((each) => each.FunctionName));
  }
  assert.deepEqual(acknowledged.lost('functions', functions), []);
  const versions: (string | undefined)[] = [];
  for await (const page of paginateListVersionsByFunction({ client }, { FunctionName })) {
    versions.push(...(page.Versions ?? []).map((each) => each.Version));
  }
  assert.deepEqual(acknowledged.lost('versions', versions), []);
  const aliases: (string | undefined)[] = [];
  for (let Marker: string | undefined; ; ) {
    const page = await client.send(new ListAliasesCommand({ FunctionName, Marker }));
    aliases.push(...(page.Aliases ?? []).map((each) => each.Name));
    Marker = page.NextMarker;
    if (!Marker) break;
  }
  assert.deepEqual(acknowledged.lost('aliases', aliases), []);
  // A function that was never given a statement has no policy.
  const { Policy = '{"Statement":[]}' } = await client
    .send(new GetPolicyCommand({ FunctionName }))
    .catch((error: Error): GetPolicyCommandOutput => {
      if (error.name !== 'ResourceNotFoundException') throw error;
      return { $metadata: {} };
    });
  const { Statement } = JSON.parse(Policy) as { Statement: { Sid: string }[] };
  const statements = Statement.map(({ Sid }) => Sid);
  assert.deepEqual(acknowledged.lost('statements', statements), []);
}

describe('a region killed while it is written to', { skip: lacks }, () => {
  const scratch = scratchDirectory('crash-writes');
  const data = join(scratch.path, 'data');
  const layout = join(scratch.path, 'layout');
  let region: RunningRegion;

  before(async () => {
    await writeImageLayout(layout, {
      layers: [
        { compression: 'none', write: (tar) => tar.add({ path: 'file' }, Buffer.from('small')) },
      ],
    });
    const ImageUri = await prepareData(data);
    region = await startRegion(undefined, data);
    const client = region.client();
    await client.send(
      new CreateFunctionCommand({
        ...{ FunctionName, PackageType: 'Image', Code: { ImageUri }, Role, Timeout: 20 },
        Publish: true,
      }),
    );
    const waiter = { client, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.5 };
    await waitUntilFunctionActiveV2(waiter, { FunctionName });
    const OnSuccess = { Destination: 'directory:done' };
    await client.send(
      new PutFunctionEventInvokeConfigCommand({ FunctionName, DestinationConfig: { OnSuccess } }),
    );
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  function eventsDone(): string[] {
    const directory = join(data, 'destinations/000000000000/done');
    const files = existsSync(directory) ? readdirSync(directory) : [];
    return files
      .filter((file) => file.endsWith('.json'))
      .map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')))
      .map((record) => record.requestPayload.name as string);
  }

  test('has all that it acknowledged, whatever the moment, and runs each event', async (t) => {
    const acknowledged = new Acknowledged();
    for (let round = 0; round < ROUNDS; round++) {
      const writing = writeUntilKilled(region.client(), round, layout, acknowledged);
      const killAfterMs = Math.random() * WRITING_MS_MOST;
      t.diagnostic(`round ${round}: killed after ${killAfterMs.toFixed(1)} ms`);
      await sleep(killAfterMs);
      await region.kill();
      await writing;
      region = await startRegion(undefined, data);
      await assertKept(region.client(), acknowledged);
    }
    const lost = () => acknowledged.lost('events', eventsDone());
    await until(
      () => `an end of ${lost()}`,
      () => lost().length === 0,
    );
    const counts = (['functions', 'versions', 'aliases', 'statements', 'events'] as const).map(
      (kind) => `${acknowledged.count(kind)} ${kind}`,
    );
    t.diagnostic(`acknowledged: ${counts.join(', ')}`);
    assert.ok(acknowledged.all > 5, 'there was something to lose');
  });
});
