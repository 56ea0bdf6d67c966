import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { changeSetting, ensureDataDirectory } from '../../src/config/mod.ts';
import { AWS, AWS_NEED } from '../support/aws.ts';
import { hostHas, hostLacks } from '../support/host.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { run } from '../support/run.ts';
import { SqsServer } from '../support/sqs-server.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { runWithAwsCli } from './stock-clients/awscli-driver.ts';
import { type ClientCase, type ClientResult, clientCases } from './stock-clients/cases.ts';
import { runWithSdk } from './stock-clients/sdk-driver.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup', 'tool:curl');
/** Debian's, which has Debian's boto3. */
const python = '/usr/bin/python3';

function judge(cases: readonly ClientCase[], results: readonly ClientResult[]): void {
  for (const [index, { operation, input, expect }] of cases.entries()) {
    const result = results[index];
    const what = `${index}: ${operation} ${JSON.stringify(input).slice(0, 200)}`;
    if (typeof expect === 'string' || typeof result === 'string') {
      assert.equal(JSON.stringify(result), JSON.stringify(expect), what);
      continue;
    }
    const shown = Object.keys(expect).map((key) => [key, result?.[key]]);
    assert.deepEqual(Object.fromEntries(shown), expect, what);
  }
  assert.equal(results.length, cases.length);
}

describe('one table of cases, three stock clients', { skip: lacks }, () => {
  const scratch = scratchDirectory('stock-clients');
  const queues = new SqsServer();
  const queue = queues.create('orders', { VisibilityTimeout: '60' });
  let region: RunningRegion;

  before(async () => {
    const data = ensureDataDirectory(join(scratch.path, 'data'));
    changeSetting(data.configFile, 'sqs', { endpoint: await queues.listen() });
    region = await startRegion(undefined, data.path, [], {
      ...{ AWS_ACCESS_KEY_ID: 'AKIAOPERATOR', AWS_SECRET_ACCESS_KEY: 'secret' },
    });
  });
  after(async () => {
    await region?.stop();
    await queues.close();
    scratch.remove();
  });

  test('the AWS SDK for JavaScript', async () => {
    const cases = clientCases('sdk', queue.arn);
    judge(cases, await runWithSdk(region.client(), cases));
  });

  test("Debian's boto3", async (t) => {
    if (!hostHas(t, `tool:${python}`)) return;
    const probe = await run(python, ['-c', 'import boto3']);
    if (probe.status !== 0 && !hostHas(t, 'tool:python3-boto3')) return;
    const script = join(import.meta.dirname, 'stock-clients/boto3-driver.py');
    const child = spawn(python, [script, region.endpoint], {
      env: region.awsEnvironment(),
    });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part) => parts.push(part));
    child.stderr.pipe(process.stderr);
    const cases = clientCases('boto3', queue.arn);
    child.stdin.end(JSON.stringify(cases));
    assert.deepEqual(await once(child, 'close'), [0, null]);
    judge(cases, JSON.parse(Buffer.concat(parts).toString()));
  });

  test("Debian's aws command, with a part of the table", async (t) => {
    if (!hostHas(t, AWS_NEED)) return;
    const cases = clientCases('cli', queue.arn).filter((each) => each.brief);
    assert.ok(cases.length >= 8);
    judge(cases, await runWithAwsCli(region, cases, scratch.path));
  });

  test('a wrong signature is refused in the words that the aws command knows', async (t) => {
    if (!hostHas(t, AWS_NEED)) return;
    const words = ['lambda', 'list-functions', '--endpoint-url', region.endpoint];
    const env = region.awsEnvironment();
    const forged = { ...env, AWS_ACCESS_KEY_ID: 'AKIAFORGED', AWS_SECRET_ACCESS_KEY: 'forged' };
    const refused = await run(AWS, words, { env: forged });
    assert.match(refused.stderr, /UnrecognizedClientException/);
    const stolen = /aws_access_key_id = (\S+)/.exec(
      readFileSync(region.credentialsFile, 'utf8'),
    )?.[1];
    const wrong = { ...env, AWS_ACCESS_KEY_ID: stolen, AWS_SECRET_ACCESS_KEY: 'not the secret' };
    const mismatch = await run(AWS, words, { env: wrong });
    assert.match(mismatch.stderr, /InvalidSignatureException/);
  });
});
