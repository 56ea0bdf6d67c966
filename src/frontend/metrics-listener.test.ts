import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../base/mod.ts';
import { MetricsListener } from './metrics-listener.ts';

const metrics = { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' };

async function listening(t: TestContext, token?: string) {
  const tools = { clock: systemClock, random: systemRandom };
  const listener = new MetricsListener({ metrics, token, ...tools });
  const port = await listener.listen('127.0.0.1', 0);
  t.after(() => listener.close());
  return (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init);
}

test('the listener for metrics answers with metrics, and nothing of the API', async (t) => {
  const ask = await listening(t);
  const answer = await ask('/metrics');
  assert.deepEqual([answer.status, await answer.text()], [200, 'up 1\n']);
  assert.equal(answer.headers.get('content-type'), metrics.contentType);
  for (const path of ['/', '/2015-03-31/functions', '/metrics/', '/metrics?x']) {
    assert.equal((await ask(path)).status, 404, path);
  }
  assert.equal((await ask('/metrics', { method: 'POST' })).status, 404);
});

test('with a token it takes the token of everybody, callers on this host too', async (t) => {
  const ask = await listening(t, 'a-token-of-some-length');
  assert.equal((await ask('/metrics')).status, 401);
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  assert.equal((await ask('/metrics', bearer('a-token-of-some-lengtH'))).status, 401);
  assert.equal((await ask('/metrics', bearer('a-token-of-some-length'))).status, 200);
});
