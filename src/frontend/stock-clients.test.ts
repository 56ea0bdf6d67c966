import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { type ClientCase, clientCases } from './testing/client-cases.ts';
import { runCommand, startFrontend } from './testing/harness.ts';

/** What a client made of a case: the error's name, or the answer. */
type Result = string | Readonly<Record<string, unknown>>;

function judge(cases: readonly ClientCase[], results: readonly Result[]): void {
  assert.equal(results.length, cases.length);
  for (const [index, { operation, input, expect }] of cases.entries()) {
    const result = results[index];
    const what = `${index}: ${operation} ${JSON.stringify(input)}`;
    if (typeof expect === 'string' || typeof result === 'string') {
      assert.equal(JSON.stringify(result), JSON.stringify(expect), what);
      continue;
    }
    const shown = Object.keys(expect).map((key) => [key, result?.[key]]);
    assert.deepEqual(Object.fromEntries(shown), expect, what);
  }
}

async function runWithSdk(client: sdk.LambdaClient, { operation, input }: ClientCase) {
  type Send = new (input: object) => Parameters<sdk.LambdaClient['send']>[0];
  type Wait = (settings: object, input: object) => Promise<unknown>;
  const all = sdk as unknown as Record<string, unknown>;
  try {
    if (operation.startsWith('wait:')) {
      const settings = { client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.05 };
      await (all[`waitUntil${operation.slice(5)}`] as Wait)(settings, input);
      return {};
    }
    const Command = all[`${operation}Command`] as Send;
    const answer = { ...(await client.send(new Command(input))) } as Record<string, unknown>;
    const { Payload } = answer;
    return Payload ? { ...answer, Payload: Buffer.from(Payload as Uint8Array).toString() } : answer;
  } catch (error) {
    return (error as Error).name;
  }
}

test('the AWS SDK for JavaScript', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  const results: Result[] = [];
  for (const each of clientCases) results.push(await runWithSdk(lambda, each));
  judge(clientCases, results);
});

test("Debian's boto3", async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const probe = await runCommand('/usr/bin/python3', ['-c', 'import boto3'], '');
  if (!hostHas(t, probe.status === 0 ? 'tool:python3' : 'tool:python3-boto3')) return;
  const { endpoint } = await startFrontend(t);
  const script = join(import.meta.dirname, 'testing/boto3-client.py');
  const input = JSON.stringify(clientCases);
  const run = await runCommand('/usr/bin/python3', [script, endpoint], endpoint, { input });
  assert.equal(run.status, 0, run.stderr);
  judge(clientCases, JSON.parse(run.stdout));
});

const kebab = (name: string) =>
  name
    .replace(/V2$/, '-v2')
    .replace(/(?<!^)[A-Z]/g, '-$&')
    .toLowerCase();

test("Debian's aws command, with a part of the table", async (t) => {
  if (!hostHas(t, 'tool:aws')) return;
  const { endpoint } = await startFrontend(t);
  const out = join(temporaryDirectory(t), 'payload');
  const cases = clientCases.filter((each) => each.brief);
  assert.ok(cases.length >= 5);
  const results: Result[] = [];
  for (const { operation, input } of cases) {
    const waits = operation.startsWith('wait:');
    const command = waits ? ['wait', kebab(operation.slice(5))] : [kebab(operation)];
    const args = ['--endpoint-url', endpoint, '--output', 'json', 'lambda', ...command];
    for (const [name, value] of Object.entries(input)) {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const blob = name === 'Payload' ? Buffer.from(text).toString('base64') : text;
      args.push(`--${kebab(name)}`, blob);
    }
    if (operation === 'Invoke') args.push(out);
    const { status, stdout, stderr } = await runCommand('/usr/bin/aws', args, endpoint);
    const refused = /An error occurred \((\w+)\)/.exec(stderr)?.[1];
    assert.ok(status === 0 || refused, stderr);
    const answer = stdout === '' ? {} : JSON.parse(stdout);
    const payload = operation === 'Invoke' ? { Payload: readFileSync(out, 'utf8') } : {};
    results.push(refused ?? { ...answer, ...payload });
  }
  judge(cases, results);
});
