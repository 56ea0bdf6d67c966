import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Agent } from 'undici';
import { hostHas } from '../../../test/support/host.ts';
import { namesIn, writeLayout } from '../../../test/support/oci-image.ts';
import { runOrThrow } from '../../../test/support/run.ts';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { isSluiceError } from '../../base/mod.ts';
import { openImage, registryAgent } from '../mod.ts';

test('a registry’s own certificate is trusted only for the host that the operator named', async (t) => {
  if (!hostHas(t, 'tool:openssl')) return;
  const directory = temporaryDirectory(t, 'tls');
  const [keyFile, certificateFile] = [join(directory, 'key'), join(directory, 'certificate')];
  const subject = ['-subj', '/CN=reg', '-addext', 'subjectAltName=DNS:reg.example,IP:127.0.0.2'];
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = ['-keyout', keyFile, '-out', certificateFile, '-days', '2'];
  await runOrThrow('openssl', ['req', ...made, ...files, ...subject]);
  const layout = await writeLayout(t);
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const cert = readFileSync(certificateFile, 'utf8');
  const server = createServer({ key: readFileSync(keyFile), cert }, (request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    const digest: string = name.startsWith('sha256:') ? name : manifests[0].digest;
    if (request.url?.includes('/manifests/')) {
      response.setHeader('content-type', manifests[0].mediaType);
    }
    response.end(readFileSync(join(layout, 'blobs', digest.replace(':', '/'))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const lookup: LookupFunction = (_, __, answer) =>
    answer(null, [{ address: '127.0.0.1', family: 4 }]);
  const read = async (host: string, certificateAuthorities: Record<string, string>) => {
    const options = registryAgent(certificateAuthorities);
    const agent = new Agent({ ...options, connect: { ...options.connect, lookup } });
    t.after(() => agent.destroy());
    const image = await openImage(`${host}:${port}/app:x`, { dispatcherFor: () => agent });
    const names = await namesIn(image);
    await image.close();
    return names;
  };
  const names = ['one', 'two', 'three'];
  assert.deepEqual(await read('reg.example', { [`reg.example:${port}`]: cert }), names);
  assert.deepEqual(await read('reg.example', { 'reg.example': cert }), names);
  for (const known of [{}, { 'other.example': cert }]) {
    await assert.rejects(
      read('reg.example', known),
      (error) => isSluiceError(error, 'REGISTRY_DENIED') && /registries\.ca/.test(error.message),
    );
  }
  await assert.rejects(read('not-its-name.example', { 'not-its-name.example': cert }), (error) =>
    isSluiceError(error, 'REGISTRY_UNAVAILABLE'),
  );
});
