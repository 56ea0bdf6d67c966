import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type Handler, isBlob, type RegistryCase, type RegistryTools } from '../registry-case.ts';

const user = { username: 'user', password: 'pass:word' };
const BASIC = `Basic ${Buffer.from('user:pass:word').toString('base64')}`;

const challenge = (response: ServerResponse, header: string | readonly string[]) =>
  void response.writeHead(401, { 'www-authenticate': header as string }).end();

/** Serves whoever shows `authorization`, and challenges all others. */
const guarded =
  (plain: Handler, authorization: string, header: string | readonly string[]): Handler =>
  (request, response) =>
    request.headers.authorization === authorization
      ? plain(request, response)
      : challenge(response, header);

const basic = (name: string, more: Partial<RegistryCase> = {}): RegistryCase => ({
  name,
  start: ({ plain }) => guarded(plain, BASIC, 'Basic realm="x"'),
  ...more,
});

interface Bearer extends Partial<RegistryCase> {
  /** What the token server answers. */
  readonly token?: Handler;
  readonly header?: (realm: string) => string;
}

const TOKEN: Handler = (_, response) => void response.end('{"token":"secret-token"}');
const bearerHeader = (realm: string) =>
  `Bearer realm="${realm}",service="here",scope="repository:app:pull"`;

/** A registry whose token server is another host. */
const bearer = (name: string, { token = TOKEN, header = bearerHeader, ...more }: Bearer = {}) => ({
  name,
  start: async ({ plain, serve }: RegistryTools) => {
    const realm = `http://${await serve(token)}/token`;
    return guarded(plain, 'Bearer secret-token', header(realm));
  },
  ...more,
});
const denied = { refuses: 'REGISTRY_DENIED' } as const;

const tokensAsked = ({ seen }: RegistryTools) =>
  seen.filter(({ path }) => path.startsWith('/token'));

export const accessCases: readonly RegistryCase[] = [
  { name: 'a registry for everybody', start: ({ plain }) => plain },
  {
    name: 'credentials that nobody asks for',
    start: ({ plain }) => plain,
    credentials: user,
    check: ({ seen }) => assert.ok(seen.every(({ authorization }) => authorization === undefined)),
  },
  basic('a password', { credentials: user }),
  basic('a password, and none is given', denied),
  basic('a password, and another is given', {
    ...denied,
    credentials: { username: 'user', password: 'wrong' },
  }),
  {
    name: 'Basic in odd letters',
    start: ({ plain }) => guarded(plain, BASIC, 'bAsIc realm="x", charset="UTF-8"'),
    credentials: user,
  },
  bearer('a token for everybody'),
  bearer('a token for a password', {
    credentials: user,
    token: (request, response) =>
      request.headers.authorization === BASIC
        ? TOKEN(request, response)
        : void response.writeHead(401).end(),
    check: (tools) =>
      assert.match(tokensAsked(tools)[0]?.path ?? '', /scope=repository%3Aapp%3Apull/),
  }),
  bearer('a token under its other name', {
    token: (_, response) => void response.end('{"access_token":"secret-token","expires_in":60}'),
  }),
  bearer('a token for a refresh token', {
    credentials: { identityToken: 'refresh-me' },
    token: (request, response) => {
      if (request.method === 'POST') return TOKEN(request, response);
      response.writeHead(405).end();
    },
  }),
  bearer('a token without a scope asked for', {
    header: (realm) => `Bearer realm="${realm}",service="here"`,
  }),
  bearer('a token server that redirects to itself', {
    token: (request, response) =>
      request.url?.includes('again')
        ? TOKEN(request, response)
        : void response.writeHead(307, { location: `${request.url}&again=1` }).end(),
  }),
  bearer('Bearer and Basic: the token goes first', {
    credentials: user,
    header: (realm) => `Basic realm="x", ${bearerHeader(realm)}`,
    why: 'a token is good for less than a password',
  }),
  bearer('a token server that denies', { ...denied, token: (_, r) => void r.writeHead(401).end() }),
  bearer('a token server that is not there', {
    ...denied,
    token: (_, r) => void r.writeHead(404).end(),
  }),
  bearer('a token server that speaks no JSON', {
    ...denied,
    token: (_, r) => void r.end('<html>'),
  }),
  bearer('a token that no header can carry', {
    ...denied,
    token: (_, r) => void r.end('{"token":"a\\r\\nx-evil: 1"}'),
  }),
  bearer('a token that is not the right one', {
    ...denied,
    token: (_, r) => void r.end('{"token":"another"}'),
  }),
  bearer('a token server by a scheme that is none', {
    ...denied,
    header: () => 'Bearer realm="file:///etc/passwd",service="here"',
  }),
  bearer('a challenge without a realm', { ...denied, header: () => 'Bearer service="here"' }),
  {
    name: 'a refusal without a challenge',
    start: () => (_, response) => void response.writeHead(401).end(),
    ...denied,
  },
  {
    name: 'a refusal by 403',
    start: () => (_, response) => void response.writeHead(403).end(),
    ...denied,
  },
  {
    name: 'a token that runs out between the manifest and the layer',
    start: async ({ plain, serve }) => {
      let made = 0;
      const realm = `http://${await serve((_, r) => void r.end(`{"token":"token-${++made}"}`))}/token`;
      return (request, response) => {
        const isNew = request.headers.authorization === `Bearer token-${made}` && made > 0;
        const needsSecond = isBlob(request) && made < 2;
        if (isNew && !needsSecond) return plain(request, response);
        challenge(response, bearerHeader(realm));
      };
    },
    why: 'a token that has run out is asked for again',
  },
];
