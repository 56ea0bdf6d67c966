import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../../test/support/host.ts';
import { namesIn as readNames } from '../../../test/support/oci-image.ts';
import { startRegistry } from '../../../test/support/oci-tools.ts';
import { runOrThrow } from '../../../test/support/run.ts';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { type Clock, type ErrorCode, isSluiceError, systemClock } from '../../base/mod.ts';
import {
  findCredentials,
  type OciImage,
  type OpenImageOptions,
  openImage,
  parseImageReference,
  writeImageLayout,
} from '../mod.ts';
import { parseChallenges } from './challenge.ts';

/** Retries without the waiting. */
const hasty: Clock = {
  nowMs: () => 0,
  monotonicMs: () => systemClock.monotonicMs(),
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
  soon: (callback) => systemClock.soon(callback),
  sleep: async () => {},
};
const content = Buffer.alloc(3_000_000, 'content');

async function layoutOf(t: TestContext): Promise<string> {
  const directory = temporaryDirectory(t, 'layout');
  const layers = (['gzip', 'none'] as const).map((compression) => ({
    compression,
    write: (tar: import('../mod.ts').TarWriter) => tar.add({ path: compression }, content),
  }));
  await writeImageLayout(directory, { layers });
  return directory;
}

async function namesIn(image: OciImage): Promise<string[]> {
  try {
    return await readNames(image);
  } finally {
    await image.close();
  }
}

async function rejects(
  reference: string,
  code: ErrorCode,
  options: OpenImageOptions = {},
): Promise<void> {
  await assert.rejects(
    openImage(reference, { clock: hasty, ...options }).then(namesIn),
    (error) => {
      assert.ok(isSluiceError(error, code), `${String(error)} instead of ${code}`);
      return true;
    },
  );
}

test('pulls from the reference registry what skopeo pushed, by tag and by digest', async (t) => {
  if (!hostHas(t, 'tool:docker-registry', 'tool:skopeo')) return;
  const address = await startRegistry(t);
  const layout = await layoutOf(t);
  const words = ['copy', '-q', '--dest-tls-verify=false', `oci:${layout}:latest`];
  await runOrThrow('skopeo', [...words, `docker://${address}/team/app:v1`]);
  await runOrThrow('skopeo', [...words, '--format=v2s2', `docker://${address}/team/app:docker`]);

  const image = await openImage(`${address}/team/app:v1`);
  assert.match(image.resolvedReference, /\/team\/app@sha256:[0-9a-f]{64}$/);
  // skopeo compresses the plain layer, and so the manifest is another; what it unpacks to is not.
  assert.deepEqual(image.config.diffIds, (await openImage(`oci:${layout}`)).config.diffIds);
  assert.deepEqual(await namesIn(image), ['gzip', 'none']);
  assert.deepEqual(await namesIn(await openImage(image.resolvedReference)), ['gzip', 'none']);
  assert.deepEqual(await namesIn(await openImage(`${address}/team/app:docker`)), ['gzip', 'none']);
  await rejects(`${address}/team/app:v2`, 'IMAGE_NOT_FOUND');
  await rejects(`${address}/nobody/app:v1`, 'IMAGE_NOT_FOUND');
  await rejects(`${address}/team/app@sha256:${'0'.repeat(64)}`, 'IMAGE_NOT_FOUND');
});

/** Of `pass:word`. */
const bcryptOfPassword = '$2b$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki';

test('a registry with a password: given, from a file, wrong, or none', async (t) => {
  if (!hostHas(t, 'tool:docker-registry', 'tool:skopeo')) return;
  const directory = temporaryDirectory(t, 'auth');
  const passwords = join(directory, 'htpasswd');
  writeFileSync(passwords, `user:${bcryptOfPassword}\n`);
  const address = await startRegistry(t, `auth: {htpasswd: {realm: x, path: ${passwords}}}\n`);
  const layout = await layoutOf(t);
  const destination = ['--dest-tls-verify=false', '--dest-creds', 'user:pass:word'];
  const target = `docker://${address}/app:v1`;
  await runOrThrow('skopeo', ['copy', '-q', ...destination, `oci:${layout}:latest`, target]);

  const credentials = { username: 'user', password: 'pass:word' };
  assert.deepEqual(await namesIn(await openImage(`${address}/app:v1`, { credentials })), [
    'gzip',
    'none',
  ]);
  const authFile = join(directory, 'auth.json');
  const auth = Buffer.from('user:pass:word').toString('base64');
  writeFileSync(authFile, JSON.stringify({ auths: { [address]: { auth } } }));
  const reference = parseImageReference(`${address}/app:v1`);
  assert.ok(reference.kind === 'registry');
  const found = await findCredentials(reference, [authFile], systemClock);
  assert.ok(found);
  assert.equal((await openImage(reference, { credentials: found })).layers.length, 2);
  await rejects(`${address}/app:v1`, 'REGISTRY_DENIED');
  await rejects(`${address}/app:v1`, 'REGISTRY_DENIED', {
    credentials: { username: 'user', password: 'wrong' },
  });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of this test's own, for what no well-behaved registry does. */
async function serve(t: TestContext, handler: Handler): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Serves a layout's documents and blobs as a registry does. */
function serveLayout(layout: string): Handler {
  const blob = (digest: string) => readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  const [{ digest, mediaType }] = JSON.parse(
    readFileSync(join(layout, 'index.json'), 'utf8'),
  ).manifests;
  return (request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    const bytes = blob(name.startsWith('sha256:') ? name : digest);
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (request.url?.includes('/manifests/')) response.setHeader('content-type', mediaType);
    response.statusCode = from > 0 ? 206 : 200;
    response.end(bytes.subarray(from));
  };
}

test('the bearer flow: a token for the scope, with and without credentials', async (t) => {
  const layout = serveLayout(await layoutOf(t));
  const asked: string[] = [];
  const tokens = await serve(t, (request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? ''}`);
    response.end('{"token":"secret-token","expires_in":300}');
  });
  const address = await serve(t, (request, response) => {
    if (request.headers.authorization === 'Bearer secret-token') return layout(request, response);
    const realm = `Bearer realm="http://${tokens}/token"`;
    const challenge = `${realm},service="here",scope="repository:a/b:pull"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
  });
  assert.deepEqual(await namesIn(await openImage(`${address}/a/b:x`)), ['gzip', 'none']);
  const credentials = { username: 'u', password: 'p' };
  await (await openImage(`${address}/a/b:x`, { credentials })).close();
  assert.deepEqual(asked, [
    '/token?scope=repository%3Aa%2Fb%3Apull&service=here ',
    '/token?scope=repository%3Aa%2Fb%3Apull&service=here Basic dTpw',
  ]);
});

test('a redirect to another host is followed without the credentials', async (t) => {
  const layout = serveLayout(await layoutOf(t));
  const seen: (string | undefined)[] = [];
  const store = await serve(t, (request, response) => {
    seen.push(request.headers.authorization);
    layout(request, response);
  });
  const address = await serve(t, (request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    } else if (request.url?.includes('/blobs/')) {
      response.writeHead(307, { location: `http://${store}${request.url}` }).end();
    } else {
      layout(request, response);
    }
  });
  const credentials = { username: 'u', password: 'p' };
  assert.deepEqual(await namesIn(await openImage(`${address}/a:x`, { credentials })), [
    'gzip',
    'none',
  ]);
  assert.ok(seen.length >= 3);
  assert.ok(seen.every((authorization) => authorization === undefined));
});

test('a redirect that never ends, and one to what is not HTTP', async (t) => {
  const endless = await serve(t, (request, response) => {
    response.writeHead(302, { location: request.url ?? '/' }).end();
  });
  await rejects(`${endless}/a:x`, 'REGISTRY_UNAVAILABLE');
  const file = await serve(t, (_, response) => {
    response.writeHead(302, { location: 'file:///etc/passwd' }).end();
  });
  await rejects(`${file}/a:x`, 'REGISTRY_DENIED');
});

test('a broken connection is resumed by range; a busy registry is asked again', async (t) => {
  const layout = serveLayout(await layoutOf(t));
  let requests = 0;
  const ranges: string[] = [];
  const address = await serve(t, (request, response) => {
    requests++;
    if (requests % 3 === 1) return void response.writeHead(503).end();
    const isLayer = request.url?.includes('/blobs/');
    if (request.headers.range) ranges.push(request.headers.range);
    if (!isLayer || requests % 2 === 0) return layout(request, response);
    const end = response.end.bind(response);
    response.end = ((bytes: Buffer) => {
      response.setHeader('content-length', bytes.length);
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
      return response;
    }) as typeof end;
    layout(request, response);
  });
  assert.deepEqual(await namesIn(await openImage(`${address}/a:x`, { clock: hasty })), [
    'gzip',
    'none',
  ]);
  assert.ok(ranges.length > 0, 'a layer was taken up in its middle');
});

test('a registry that is down, names bytes by another digest, or sends without end', async (t) => {
  const down = await serve(t, (_, response) => void response.destroy());
  await rejects(`${down}/a:x`, 'REGISTRY_UNAVAILABLE');
  const layout = serveLayout(await layoutOf(t));
  const lying = await serve(t, (request, response) => {
    if (request.url?.includes('/manifests/')) {
      const other = createHash('sha256').update('other').digest('hex');
      response.setHeader('docker-content-digest', `sha256:${other}`);
    }
    layout(request, response);
  });
  const believed = await openImage(`${lying}/a:x`);
  assert.match(believed.resolvedReference, /@sha256:[0-9a-f]{64}$/);
  assert.deepEqual(await namesIn(await openImage(believed.resolvedReference)), ['gzip', 'none']);
  const huge = await serve(t, (_, response) => {
    const piece = Buffer.alloc(1 << 20, ' ');
    const more = () => void (response.destroyed || response.write(piece, more));
    more();
  });
  await rejects(`${huge}/a:x`, 'IMAGE_MALFORMED');
});

test('challenges in every form that registries send', () => {
  const [first, second] = parseChallenges('Bearer realm="a,\\"b\\"", scope=x , Basic realm="y"');
  assert.deepEqual(
    [first?.scheme, [...(first?.parameters ?? [])]],
    [
      'bearer',
      [
        ['realm', 'a,"b"'],
        ['scope', 'x'],
      ],
    ],
  );
  assert.deepEqual([second?.scheme, second?.parameters.get('realm')], ['basic', 'y']);
  assert.deepEqual(parseChallenges(''), []);
});
