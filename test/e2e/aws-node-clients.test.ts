import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Recorded } from '../clients/compare.ts';
import { observe } from '../clients/driver.ts';
import { lambdasForNode } from '../clients/nodejs/clients.ts';
import { nodeCases } from '../clients/nodejs/table.ts';
import { awsLambdaRic, RIC_NEEDS } from '../support/aws-lambda-ric.ts';
import { awsLambdaRicClassic } from '../support/aws-lambda-ric-classic.ts';
import { hostHas } from '../support/host.ts';

const recorded = join(import.meta.dirname, '../clients/nodejs/recorded');

test("AWS's own Node clients do what is recorded of them", { timeout: 900_000 }, async (t) => {
  if (!hostHas(t, ...RIC_NEEDS)) return;
  const modern = await awsLambdaRic();
  const classic = await awsLambdaRicClassic(modern);
  const clients = lambdasForNode({ classic, modern: join(modern, 'index.mjs') });
  for (const client of clients) {
    const kept = new Recorded(join(recorded, `${client.name}.json`), 'lambda');
    const seen = await observe(t, client, nodeCases);
    kept.update(seen);
    assert.deepEqual(seen, kept.observations, client.name);
  }
});
