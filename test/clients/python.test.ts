import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { assertDifferent, assertMeant, Recorded, unlike } from './compare.ts';
import { observe } from './driver.ts';
import { pythonCases, pythonClient } from './python/clients.ts';

const recorded = join(import.meta.dirname, 'python/recorded');
const client = pythonClient();
const lambdas = new Recorded(join(recorded, 'python3.12.json'), 'lambda');
const ours = new Recorded(join(recorded, 'python3.12-ours.json'), 'ours');

test('every Python handler of the table does what it did', async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const seen = await observe(t, client, pythonCases);
  const theirs = lambdas.observations;
  ours.update(unlike(seen, theirs));
  assert.deepEqual(seen, { ...theirs, ...ours.observations });
});

test("our Python client differs from Lambda's only where the table says why", () => {
  assertMeant(client.name, pythonCases, lambdas.observations, ours.observations);
  assertDifferent(pythonCases, [ours.observations]);
});
