import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { startRegion } from '../support/region.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('metrics with a listener of their own are not beside the API', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const data = join(temporaryDirectory(t, 'metrics'), 'data');
  mkdirSync(data, { mode: 0o700 });
  const listen = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(data, 'config.json'), JSON.stringify({ metrics: { listen } }));
  const region = await startRegion(t, data);
  const answer = await fetch(`http://${listen}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /^sluice_/m);
  assert.notEqual((await fetch(`${region.endpoint}/metrics`)).status, 200);
  assert.notEqual((await fetch(`http://${listen}/2015-03-31/functions`)).status, 200);
});
