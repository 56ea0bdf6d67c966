import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  type FunctionRecord,
  installSucceeded,
  MemoryFunctionStore,
  type PolicyStatement,
} from '../records/mod.ts';
import { sampleCode, sampleFunction, sampleStamp } from '../records/samples.fixture.ts';
import { owner, REGION, runCommand, startFrontend } from './testing/harness.fixture.ts';

const urlId = 'a'.repeat(32);

/** A function that anybody may invoke by its URL. */
function functionWithUrl(): FunctionRecord {
  const pending = sampleFunction({ accountId: owner.accountId, name: 'f' });
  const record = installSucceeded(pending, pending.latest.work!.id, sampleCode, sampleStamp());
  assert.ok(record);
  const authType = 'NONE' as const;
  const url = { urlId, authType, invokeMode: 'BUFFERED' as const, createdMs: 1, lastModifiedMs: 1 };
  const open: PolicyStatement = {
    ...{ Sid: 's', Effect: 'Allow', Principal: '*', Action: 'lambda:InvokeFunctionUrl' },
    Resource: `arn:aws:lambda:${REGION}:${owner.accountId}:function:f`,
  };
  const policies = { $LATEST: { statements: [open], revisionId: 'r' } };
  return { ...record, urls: { $LATEST: url }, policies };
}

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
  const store = new MemoryFunctionStore();
  await store.insert(functionWithUrl());
  const { port, invoker } = await startFrontend(t, { tls, store });
  const agent = new Agent({ ca: tls.cert, servername: 'localhost' });
  const statusOf = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      get({ port, host: '127.0.0.1', path, agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      }).on('error', reject);
    });
  assert.equal(await statusOf('/healthz'), 200);
  assert.equal(await statusOf(`/lambda-url/${urlId}/`), 200);
  agent.destroy();
  const { headers } = JSON.parse(invoker.requests[0]?.payload.toString() ?? '');
  assert.equal(headers['x-forwarded-proto'], 'https');
  assert.match(headers['x-amzn-tls-version'], /^TLSv1\.[23]$/);
  assert.match(headers['x-amzn-tls-cipher-suite'], /^TLS_[A-Z0-9_]+$/);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
});
