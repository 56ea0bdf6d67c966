import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertDifferent, assertMeant, Recorded, unlike } from './compare.ts';
import { observe } from './driver.ts';
import { oursForNode } from './nodejs/clients.ts';
import { nodeCases } from './nodejs/table.ts';

const recorded = join(import.meta.dirname, 'nodejs/recorded');
const clients = oursForNode.map((client) => ({
  client,
  lambdas: new Recorded(join(recorded, `${client.name}.json`), 'lambda'),
  ours: new Recorded(join(recorded, `${client.name}-ours.json`), 'ours'),
}));

for (const { client, lambdas, ours } of clients) {
  test(`as ${client.name}, every handler of the table does what it did`, async (t) => {
    const seen = await observe(t, client, nodeCases);
    const theirs = lambdas.observations;
    ours.update(unlike(seen, theirs));
    assert.deepEqual(seen, { ...theirs, ...ours.observations });
  });
}

test("our Node client differs from Lambda's only where the table says why", () => {
  for (const { client, lambdas, ours } of clients) {
    assertMeant(client.name, nodeCases, lambdas.observations, ours.observations);
  }
  assertDifferent(
    nodeCases,
    clients.map(({ ours }) => ours.observations),
  );
});
