import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { startFrontend } from '../../src/frontend/testing/harness.fixture.ts';
import { createActive } from '../../src/frontend/testing/lambda.fixture.ts';
import { call } from '../../src/frontend/testing/raw-http.fixture.ts';
import { repositoryRoot } from './repository.ts';

/** An operation of the model: its way in, and the members of its input. */
interface Modelled {
  readonly method: string;
  readonly path: string;
  readonly members: readonly string[];
}

interface Row {
  readonly refusedWhole: boolean;
  readonly served: readonly string[];
  readonly kept: readonly string[];
  readonly refused: readonly string[];
}

type Schema = readonly unknown[];
const schema = (value: unknown): Schema | undefined =>
  (typeof value === 'function' ? value() : value) as Schema | undefined;

/** As the SDK's schemas have it: `[9, namespace, name, traits, input, output]` for an operation. */
function model(): Map<string, Modelled> {
  const operations = new Map<string, Modelled>();
  for (const [name, value] of Object.entries(sdk)) {
    if (!name.endsWith('$') || !Array.isArray(value) || value[0] !== 9) continue;
    const { http } = value[3] as unknown as { http: [string, string] };
    const members = (schema(value[4])?.[4] ?? []) as string[];
    operations.set(value[2] as string, { method: http[0], path: http[1], members });
  }
  return operations;
}

function table(): Map<string, Row> {
  const text = readFileSync(join(repositoryRoot, 'docs/api.md'), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| [A-Z]/.test(line));
  const words = (cell = '') => cell.split(' ').filter((word) => word !== '');
  return new Map(
    rows.map((line) => {
      const [, name = '', served, kept, refused] = line.split('|').map((cell) => cell.trim());
      const refusedWhole = served === 'refused';
      const row = { served: words(served), kept: words(kept), refused: words(refused) };
      return [name, { refusedWhole, ...row, served: refusedWhole ? [] : row.served }] as const;
    }),
  );
}

test('the table has every operation and every member of the model, and nothing else', () => {
  const operations = model();
  const rows = table();
  assert.ok(operations.size > 80, 'the model was read');
  assert.deepEqual([...rows.keys()].sort(), [...operations.keys()].sort());
  for (const [name, { members }] of operations) {
    const row = rows.get(name);
    if (!row || row.refusedWhole) continue;
    const listed = [...row.served, ...row.kept, ...row.refused];
    assert.deepEqual(listed.sort(), [...members].sort(), name);
  }
});

async function ask(t: TestContext) {
  const { port, client } = await startFrontend(t);
  await createActive(client());
  return (method: string, path: string, body: object = {}) => {
    const filled = path
      .replace('{FunctionName}', 'f')
      .replace('{ResourceArn}', 'arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af')
      .replace(/\{[A-Za-z]+\}/g, 'x');
    const hasBody = method === 'POST' || method === 'PUT';
    return call(port, { method, path: filled, ...(hasBody ? { body: JSON.stringify(body) } : {}) });
  };
}

test('operations that the table calls refused are refused in words', async (t) => {
  const send = await ask(t);
  const operations = model();
  for (const [name, row] of table()) {
    const operation = operations.get(name);
    if (!row.refusedWhole || !operation) continue;
    const answer = await send(operation.method, operation.path);
    assert.equal(answer.status, 400, name);
    assert.match(answer.body, new RegExp(`${name} is not supported: `));
  }
});

test('operations that the table calls served are known', async (t) => {
  const send = await ask(t);
  const operations = model();
  for (const [name, row] of table()) {
    const operation = operations.get(name);
    if (row.refusedWhole || !operation || operation.method !== 'GET') continue;
    const answer = await send(operation.method, operation.path);
    const type = answer.headers['x-amzn-errortype'] ?? '';
    assert.notEqual(type, 'UnknownOperationException', name);
  }
});

/** A body that would do, so that nothing but the refused member is wrong with it. */
const bodies: Record<string, object> = {
  CreateFunction: {
    FunctionName: 'g',
    Role: 'arn:aws:iam::000000000000:role/r',
    PackageType: 'Image',
    Code: { ImageUri: 'localhost:5000/hello:1' },
  },
  UpdateFunctionCode: { ImageUri: 'localhost:5000/hello:1' },
  CreateEventSourceMapping: {
    FunctionName: 'f',
    EventSourceArn: 'arn:aws:sqs:us-east-1:000000000000:orders',
  },
};

test('members of bodies that the table calls refused are refused by name', async (t) => {
  const send = await ask(t);
  const operations = model();
  for (const name of [
    'CreateFunction',
    'UpdateFunctionConfiguration',
    'UpdateFunctionCode',
    'PublishVersion',
    'CreateEventSourceMapping',
  ]) {
    const operation = operations.get(name);
    const row = table().get(name);
    assert.ok(operation && row && row.refused.length > 0, name);
    for (const member of row.refused) {
      const value = member === 'StartingPosition' ? 'LATEST' : { Anything: 'x' };
      const body = { ...bodies[name], [member]: value };
      const answer = await send(operation.method, operation.path, body);
      assert.equal(answer.status, 400, `${name} ${member}`);
      assert.ok(answer.body.includes(member), `${name} ${member}: ${answer.body}`);
    }
  }
});
