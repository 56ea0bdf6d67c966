import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Agent } from 'undici';
import { SluiceError } from '../../base/mod.ts';
import { openImage } from '../mod.ts';

async function serve(t: TestContext, handler: RequestListener) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? '');
    handler(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Opens an image where only `allowed` may be connected to. */
async function openGuarded(t: TestContext, allowed: string) {
  const agent = new Agent();
  t.after(() => agent.close());
  const asked: string[] = [];
  const opened = openImage(`${allowed}/team/app:1`, {
    dispatcherFor: (url) => {
      asked.push(url.host);
      if (url.host !== allowed) throw new SluiceError('ACCESS_DENIED', url.host);
      return agent;
    },
  });
  await assert.rejects(opened, { code: 'ACCESS_DENIED' });
  return asked;
}

test('no redirect of a registry bypasses the connection policy', async (t) => {
  const inside = await serve(t, (_, response) => response.end());
  const registry = await serve(t, (_, response) =>
    response.writeHead(307, { location: `http://${inside.host}/secret` }).end(),
  );
  assert.deepEqual(await openGuarded(t, registry.host), [registry.host, inside.host]);
  assert.deepEqual(inside.seen, []);
});

test('no token realm of a registry bypasses the connection policy', async (t) => {
  const inside = await serve(t, (_, response) => response.end());
  const challenge = `Bearer realm="http://${inside.host}/token",service="x"`;
  const registry = await serve(t, (_, response) =>
    response.writeHead(401, { 'www-authenticate': challenge }).end(),
  );
  assert.deepEqual(await openGuarded(t, registry.host), [registry.host, inside.host]);
  assert.deepEqual(inside.seen, []);
});
