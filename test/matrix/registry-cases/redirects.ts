import assert from 'node:assert/strict';
import {
  type Handler,
  isBlob,
  isManifest,
  isPing,
  type RegistryCase,
  type RegistryTools,
} from '../registry-case.ts';

const user = { username: 'user', password: 'pass:word' };

/** Sends requests that are meant to where `location` says. */
const redirecting =
  (
    plain: Handler,
    meant: (request: Parameters<Handler>[0]) => boolean,
    location: (path: string) => string,
    status = 307,
  ): Handler =>
  (request, response) =>
    meant(request)
      ? void response.writeHead(status, { location: location(request.url ?? '') }).end()
      : plain(request, response);

const behindPassword =
  (plain: Handler): Handler =>
  (request, response) =>
    request.headers.authorization
      ? plain(request, response)
      : void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();

/** Nobody but the registry has seen who asks. */
function onlyItself({ seen }: RegistryTools): void {
  const trusted = seen[0]?.port;
  const others = seen.filter(({ port }) => port !== trusted);
  assert.ok(others.length > 0, 'the other host was asked');
  assert.deepEqual(
    others.filter(({ authorization }) => authorization !== undefined),
    [],
  );
}

const toStore = (name: string, status: number): RegistryCase => ({
  name,
  start: async ({ plain, serve }) => {
    const store = await serve(plain);
    return redirecting(plain, isBlob, (path) => `http://${store}${path}`, status);
  },
});

const nowhere = (name: string, location: string, more: Partial<RegistryCase>): RegistryCase => ({
  name,
  start: ({ plain }) =>
    redirecting(
      plain,
      (request) => !isPing(request),
      () => location,
    ),
  ...more,
});

export const redirectCases: readonly RegistryCase[] = [
  ...[301, 302, 303, 307, 308].map((status) => toStore(`blobs elsewhere, by ${status}`, status)),
  {
    name: 'blobs elsewhere, and the password stays here',
    start: async ({ plain, serve }) => {
      const store = await serve(plain);
      return behindPassword(redirecting(plain, isBlob, (path) => `http://${store}${path}`));
    },
    credentials: user,
    check: onlyItself,
  },
  {
    name: 'the manifest elsewhere, and the password stays here',
    start: async ({ plain, serve }) => {
      const store = await serve(plain);
      return behindPassword(redirecting(plain, isManifest, (path) => `http://${store}${path}`));
    },
    credentials: user,
    check: onlyItself,
  },
  {
    name: 'elsewhere, where a password is asked for: the registry’s is not given',
    start: async ({ plain, serve }) => {
      const thief = await serve(behindPassword(plain));
      return behindPassword(redirecting(plain, isBlob, (path) => `http://${thief}${path}`));
    },
    credentials: user,
    refuses: 'REGISTRY_DENIED',
    check: onlyItself,
  },
  {
    name: 'elsewhere, where a token server is named: the registry’s password is not given',
    start: async ({ plain, serve }) => {
      const tokens = await serve((_, response) => void response.end('{"token":"t"}'));
      const header = `Bearer realm="http://${tokens}/token",service="x"`;
      const thief = await serve((_, response) => {
        response.writeHead(401, { 'www-authenticate': header }).end();
      });
      return behindPassword(redirecting(plain, isBlob, (path) => `http://${thief}${path}`));
    },
    credentials: user,
    refuses: 'REGISTRY_DENIED',
    check: onlyItself,
  },
  {
    name: 'a place that is relative',
    start: ({ plain }) =>
      redirecting(
        plain,
        (request) => isBlob(request) && !request.url?.includes('moved'),
        (path) => path.replace('/blobs/', '/blobs/moved/'),
      ),
  },
  {
    name: 'three hops',
    start: async ({ plain, serve }) => {
      const third = await serve(plain);
      const second = await serve((request, response) => {
        response.writeHead(302, { location: `http://${third}${request.url}` }).end();
      });
      return redirecting(plain, isBlob, (path) => `http://${second}${path}`);
    },
  },
  {
    name: 'a circle',
    start: ({ plain }) =>
      redirecting(
        plain,
        (request) => !isPing(request),
        (path) => path,
      ),
    refuses: 'REGISTRY_UNAVAILABLE',
  },
  nowhere('to a file', 'file:///etc/passwd', { refuses: 'REGISTRY_DENIED' }),
  nowhere('to what is no address', 'http://[', { refuses: 'REGISTRY_DENIED' }),
  {
    name: 'a redirect to nowhere',
    start:
      ({ plain }) =>
      (request, response) =>
        isBlob(request) ? void response.writeHead(302).end() : plain(request, response),
    refuses: 'IMAGE_NOT_FOUND',
  },
];
