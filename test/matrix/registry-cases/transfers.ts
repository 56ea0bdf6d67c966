import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { limits } from '../../../src/base/mod.ts';
import { type Handler, isBlob, isManifest, isPing, type RegistryCase } from '../registry-case.ts';

/** Fails the first requests that are meant, and serves the next. */
const atFirst =
  (plain: Handler, times: number, fail: (response: ServerResponse) => void): Handler =>
  (request, response) => {
    if (isPing(request) || times-- <= 0) return plain(request, response);
    fail(response);
  };

const busy = (status: number, retryAfter?: string) => (response: ServerResponse) =>
  void response.writeHead(status, retryAfter ? { 'retry-after': retryAfter } : {}).end();

/** Ends each answer to a meant request after half of it. */
const cutting =
  (plain: Handler, times: number, ignoresRanges = false): Handler =>
  (request, response) => {
    if (ignoresRanges) delete request.headers.range;
    if (!isBlob(request) || times-- <= 0) return plain(request, response);
    response.end = ((bytes: Buffer) => {
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
      return response;
    }) as typeof response.end;
    plain(request, response);
  };

const header = (name: string, key: string, value: string, more: Partial<RegistryCase> = {}) => ({
  name,
  start:
    ({ plain }: { plain: Handler }): Handler =>
    (request, response) => {
      if (isManifest(request)) response.setHeader(key, value);
      plain(request, response);
    },
  ...more,
});

const layerIs = (
  name: string,
  change: (bytes: Buffer) => Buffer,
  more: Partial<RegistryCase>,
): RegistryCase => ({
  name,
  start:
    ({ plain, layer }) =>
    (request, response) => {
      if (!request.url?.includes(layer)) return plain(request, response);
      const end = response.end.bind(response);
      response.end = ((bytes: Buffer) => {
        response.removeHeader('content-length');
        return end(change(bytes));
      }) as typeof response.end;
      plain(request, response);
    },
  ...more,
});

const MONTHS_LATER = new Date(Date.UTC(2100, 0, 1)).toUTCString();
const ASKED_AGAIN = 'what passes is waited for';
const TAKEN_UP = 'a blob is taken up where it broke off';

export const transferCases: readonly RegistryCase[] = [
  {
    name: 'busy once, by 503',
    start: ({ plain }) => atFirst(plain, 1, busy(503)),
    why: ASKED_AGAIN,
    check: (_, sleeps) => assert.deepEqual(sleeps, [limits.registry.retryDelayMs]),
  },
  {
    name: 'broken off at the first',
    start: ({ plain }) => atFirst(plain, 1, (response) => void response.destroy()),
    why: ASKED_AGAIN,
  },
  {
    name: 'too many requests, and seconds to wait',
    start: ({ plain }) => atFirst(plain, 1, busy(429, '2')),
    check: (_, sleeps) => assert.deepEqual(sleeps, [2000]),
  },
  {
    name: 'too many requests, and a date in the past',
    start: ({ plain }) => atFirst(plain, 1, busy(429, new Date(0).toUTCString())),
    check: (_, sleeps) => assert.deepEqual(sleeps, [limits.registry.retryDelayMs]),
  },
  {
    name: 'too many requests, and what is no time',
    start: ({ plain }) => atFirst(plain, 1, busy(429, 'soon')),
    check: (_, sleeps) => assert.deepEqual(sleeps, [limits.registry.retryDelayMs]),
  },
  {
    name: 'busy, and a time that nobody waits for',
    start: ({ plain }) => atFirst(plain, 1, busy(503, '86400')),
    refuses: 'REGISTRY_UNAVAILABLE',
    check: (_, sleeps) => assert.deepEqual(sleeps, []),
  },
  {
    name: 'busy, and a date that nobody waits for',
    start: ({ plain }) => atFirst(plain, 1, busy(503, MONTHS_LATER)),
    refuses: 'REGISTRY_UNAVAILABLE',
    check: (_, sleeps) => assert.deepEqual(sleeps, []),
  },
  {
    name: 'busy for ever',
    start: ({ plain }) => atFirst(plain, 1_000_000, busy(500)),
    refuses: 'REGISTRY_UNAVAILABLE',
    check: (_, sleeps) => assert.equal(sleeps.length, limits.registry.attempts - 1),
  },
  {
    name: 'never an answer',
    start: ({ plain }) => atFirst(plain, 1_000_000, (response) => void response.destroy()),
    refuses: 'REGISTRY_UNAVAILABLE',
  },
  { name: 'a blob that breaks off', start: ({ plain }) => cutting(plain, 1), why: TAKEN_UP },
  {
    name: 'a blob that breaks off, and no ranges',
    start: ({ plain }) => cutting(plain, 1, true),
    why: TAKEN_UP,
  },
  {
    name: 'a blob that always breaks off',
    start: ({ plain }) => cutting(plain, 1_000_000, true),
    refuses: 'REGISTRY_UNAVAILABLE',
  },
  header('the right digest in the header', 'docker-distribution-api-version', 'registry/2.0'),
  header(
    'a digest in the header that is another’s',
    'docker-content-digest',
    `sha256:${'4'.repeat(64)}`,
  ),
  header('a digest in the header that is none', 'docker-content-digest', 'etag-1', {}),
  layerIs('a layer of other bytes', (bytes) => Buffer.from(bytes).fill(7, 100_000, 100_001), {
    refuses: 'IMAGE_DIGEST_MISMATCH',
  }),
  layerIs('a layer that goes on', (bytes) => Buffer.concat([bytes, Buffer.alloc(1000)]), {
    refuses: 'IMAGE_DIGEST_MISMATCH',
  }),
  layerIs('a layer that ends too soon', (bytes) => bytes.subarray(0, bytes.length - 5), {
    refuses: 'IMAGE_LAYER_TRUNCATED',
  }),
  layerIs('a layer of nothing', () => Buffer.alloc(0), { refuses: 'IMAGE_LAYER_TRUNCATED' }),
  {
    name: 'no such tag',
    start:
      ({ plain }) =>
      (request, response) =>
        isManifest(request) ? void response.writeHead(404).end() : plain(request, response),
    refuses: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'no such blob',
    start:
      ({ plain }) =>
      (request, response) =>
        isBlob(request) ? void response.writeHead(404).end() : plain(request, response),
    refuses: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'a web site',
    start: () => (_, response) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome</html>'),
    refuses: 'IMAGE_MALFORMED',
  },
  {
    name: 'a manifest without end',
    start:
      ({ plain }) =>
      (request, response) => {
        if (!isManifest(request)) return plain(request, response);
        const more = () =>
          void (response.destroyed || response.write(Buffer.alloc(1 << 20, ' '), more));
        more();
      },
    refuses: 'IMAGE_MALFORMED',
  },
  {
    name: 'by its digest',
    start: ({ plain }) => plain,
    image: ({ manifest }) => `/app@${manifest}`,
  },
  {
    name: 'by tag and digest: the digest counts',
    start:
      ({ plain }) =>
      (request, response) =>
        request.url?.includes('/manifests/moved')
          ? void response.writeHead(404).end()
          : plain(request, response),
    image: ({ manifest }) => `/app:moved@${manifest}`,
    why: 'skopeo 1.9 takes no reference with both; Docker does, and the digest counts',
  },
  {
    name: 'by a digest that the bytes do not have',
    start:
      ({ plain }) =>
      (request, response) => {
        if (request.url?.includes('sha256:5')) request.url = '/v2/app/manifests/latest';
        plain(request, response);
      },
    image: () => `/app@sha256:${'5'.repeat(64)}`,
    refuses: 'IMAGE_DIGEST_MISMATCH',
  },
];
