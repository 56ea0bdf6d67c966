import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { parseCredentials } from '../../src/config/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { AWS, AWS_NEED } from '../support/aws.ts';
import { hostHas } from '../support/host.ts';
import { startRegion } from '../support/region.ts';
import { run, runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const sluice = join(repositoryRoot, 'bin/sluice');

test('a region serves HTTPS to stock clients that trust its authority', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup', 'tool:openssl', AWS_NEED)) return;
  const directory = temporaryDirectory(t, 'tls');
  const at = (name: string) => join(directory, name);
  const openssl = (...words: string[]) => runOrThrow('openssl', words);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const authority = ['-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', '/CN=an authority'];
  await openssl('req', '-x509', ...key, ...authority);
  await openssl(
    ...['req', '-x509', ...key, '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
    ...['-keyout', at('key.pem'), '-out', at('cert.pem'), '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'],
  );
  const flags = ['--tls-cert', at('cert.pem'), '--tls-key', at('key.pem')];
  const region = await startRegion(t, at('data'), flags);
  const { port, protocol } = new URL(region.endpoint);
  assert.equal(protocol, 'https:');
  const endpoint = `https://localhost:${port}`;

  const [credentials] = parseCredentials(readFileSync(region.credentialsFile, 'utf8'), '');
  assert.ok(credentials);
  const clientWith = (ca?: Buffer) => {
    const httpsAgent = new Agent(ca && { ca });
    t.after(() => httpsAgent.destroy());
    const requestHandler = { httpsAgent };
    const where = { endpoint, region: 'us-east-1', maxAttempts: 1 };
    return new LambdaClient({ ...where, credentials, requestHandler });
  };
  const trusting = clientWith(readFileSync(at('ca.pem')));
  assert.deepEqual((await trusting.send(new ListFunctionsCommand({}))).Functions, []);
  await assert.rejects(clientWith().send(new ListFunctionsCommand({})), /certificate/);

  const words = ['lambda', 'list-functions', '--endpoint-url', endpoint, '--ca-bundle'];
  const env = region.awsEnvironment();
  const listed = await runOrThrow(AWS, [...words, at('ca.pem')], { env });
  assert.deepEqual(JSON.parse(listed).Functions, []);
  const own = await run(sluice, ['function', 'list', '--json', '--data', region.dataDirectory]);
  assert.equal(own.status, 0, own.stderr);
  await assert.rejects(fetch(`http://localhost:${port}/healthz`));
});

test('plain HTTP to other hosts, an unknown isolation and a missing file are wrong usage', async () => {
  const wrong = [
    ['--listen', '0.0.0.0:0'],
    ['--isolation', 'microvm'],
    ['--tls-cert', '/nowhere'],
  ];
  for (const flags of wrong) {
    const { status, stderr } = await run(sluice, ['up', ...flags]);
    assert.equal(status, 2, `${flags}: ${stderr}`);
  }
});
