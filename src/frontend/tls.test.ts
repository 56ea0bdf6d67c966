import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { runCommand, startFrontend } from './testing/harness.ts';

test('with a certificate the server speaks TLS, and nothing else', async (t) => {
  if (!hostHas(t, 'tool:openssl')) return;
  const directory = temporaryDirectory(t);
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(directory, name)) as [
    string,
    string,
  ];
  const made = await runCommand(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-days', '1'],
      ...['-addext', 'subjectAltName=DNS:localhost'],
    ],
    '',
  );
  assert.equal(made.status, 0, made.stderr);
  const tls = { cert: readFileSync(cert), key: readFileSync(key) };
  const { port } = await startFrontend(t, { tls });
  const agent = new Agent({ ca: tls.cert, servername: 'localhost' });
  const status = await new Promise<number | undefined>((resolve, reject) => {
    get({ port, host: '127.0.0.1', path: '/healthz', agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    }).on('error', reject);
  });
  agent.destroy();
  assert.equal(status, 200);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
});
