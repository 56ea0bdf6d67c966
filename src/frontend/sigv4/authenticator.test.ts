import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import type { Credential } from '../../accounts/mod.ts';
import { VirtualClock } from '../../base/mod.ts';
import { ApiError } from '../api-error.ts';
import { FixedCredentials, owner, REGION } from '../testing/harness.fixture.ts';
import { sign } from '../testing/raw-http.fixture.ts';
import { Authenticator } from './authenticator.ts';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const path = '/2015-03-31/functions/f/invocations';

function authenticator(...credentials: Credential[]) {
  const all = new FixedCredentials(...(credentials.length > 0 ? credentials : [owner]));
  return new Authenticator(all, REGION, new VirtualClock(nowMs));
}

interface Given {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly sentBody?: string;
  readonly atMs?: number;
  readonly region?: string;
  readonly service?: string;
  readonly credential?: Credential;
  readonly change?: (headers: Record<string, string>) => void;
}

/** Signs with AWS's signer and verifies with ours; answers the exception's name, or `ok`. */
async function outcome(given: Given, verifier = authenticator()): Promise<string> {
  const request = {
    method: given.method ?? 'POST',
    path: given.path ?? path,
    headers: given.headers ?? {},
    body: given.body ?? '{}',
  };
  const { region, service, credential } = given;
  const headers = await sign(request, {
    date: new Date(given.atMs ?? nowMs),
    ...(region === undefined ? {} : { region }),
    ...(service === undefined ? {} : { service }),
    ...(credential === undefined ? {} : { credential }),
  });
  const lower = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
  given.change?.(lower);
  const [rawPath = '', rawQuery = ''] = request.path.split('?');
  try {
    const pending = await verifier.begin({
      method: request.method,
      rawPath,
      rawQuery,
      headers: lower,
    });
    pending.finish(Buffer.from(given.sentBody ?? request.body));
    return 'ok';
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return `${error.exception}: ${error.message}`;
  }
}

test('what the stock signer signs is accepted: any path, query, header and body', async () => {
  const segment = fc
    .string({ minLength: 1, maxLength: 20, unit: 'binary' })
    .filter((each) => !['.', '..'].includes(each) && each.isWellFormed());
  const value = fc.string({ maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(segment, { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[a-zA-Z]{1,8}$/), value, { maxKeys: 4 }),
      fc.stringMatching(/^[ -~]{0,20}$/),
      fc.string({ maxLength: 50 }),
      async (segments, query, header, body) => {
        const search = Object.entries(query).map((pair) => pair.map(encodeURIComponent).join('='));
        const url = `/${segments.map(encodeURIComponent).join('/')}`;
        const given = {
          path: search.length > 0 ? `${url}?${search.join('&')}` : url,
          headers: { 'x-amz-test': header },
          body,
        };
        assert.equal(await outcome(given), 'ok');
      },
    ),
    { numRuns: propertyRuns(200) },
  );
});

test('any change after signing is refused', async () => {
  const refused = /^InvalidSignatureException: The request signature we calculated does not match/;
  assert.match(await outcome({ sentBody: '{"more":1}' }), refused);
  const changes: ((headers: Record<string, string>) => void)[] = [
    (headers) => Object.assign(headers, { host: 'elsewhere' }),
    (headers) => Object.assign(headers, { 'x-amz-invocation-type': 'Event' }),
    (headers) => delete headers['x-amz-invocation-type'],
    (headers) => Object.assign(headers, { 'x-amz-date': '20260102T030406Z' }),
    (headers) => {
      headers['authorization'] =
        headers['authorization']?.replace(/.$/, (c) => (c === '0' ? '1' : '0')) ?? '';
    },
    (headers) => {
      headers['authorization'] =
        headers['authorization']?.replace(/Signature=.*/, 'Signature=00') ?? '';
    },
  ];
  for (const change of changes) {
    const headers = { 'x-amz-invocation-type': 'DryRun' };
    assert.match(await outcome({ headers, change }), refused, String(change));
  }
});

test('a body hash that is announced but unsigned or no hash is refused', async () => {
  const unsigned = await outcome({
    change: (headers) => Object.assign(headers, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
  });
  assert.match(unsigned, /^InvalidSignatureException: 'X-Amz-Content-Sha256' must be/);
  const added = await outcome({
    change: (headers) => Object.assign(headers, { 'x-amz-more': '1' }),
  });
  assert.match(added, /^InvalidSignatureException: 'x-amz-more' must be a 'SignedHeader'/);
});

test('who signed must be known, enabled, and right', async () => {
  const unknown = /^UnrecognizedClientException: The security token included in the request/;
  const nobody = { ...owner, accessKeyId: 'AKIANOBODY' };
  assert.match(await outcome({ credential: nobody }), unknown);
  const disabled = authenticator({ ...owner, disabled: true });
  assert.match(await outcome({}, disabled), unknown);
  const wrong = { ...owner, secretAccessKey: 'guessed' };
  assert.match(await outcome({ credential: wrong }), /^InvalidSignatureException: The request sig/);
  const temporary = { ...owner, sessionToken: 'token' };
  assert.equal(await outcome({ credential: temporary }, authenticator(temporary)), 'ok');
  assert.match(await outcome({}, authenticator(temporary)), unknown);
  assert.match(await outcome({ credential: temporary }), unknown);
});

test('keys may be looked up elsewhere', async () => {
  const credentials = {
    find: async (id: string) => (id === owner.accessKeyId ? owner : undefined),
  };
  const verifier = new Authenticator(credentials, REGION, new VirtualClock(nowMs));
  assert.equal(await outcome({}, verifier), 'ok');
  const nobody = { ...owner, accessKeyId: 'AKIANOBODY' };
  assert.match(await outcome({ credential: nobody }, verifier), /^UnrecognizedClientException/);
});

test('a rotated secret takes effect with the next request', async () => {
  const credentials = new FixedCredentials(owner);
  const verifier = new Authenticator(credentials, REGION, new VirtualClock(nowMs));
  assert.equal(await outcome({}, verifier), 'ok');
  const rotated = { ...owner, secretAccessKey: 'new' };
  credentials.all.set(owner.accessKeyId, rotated);
  assert.match(await outcome({}, verifier), /^InvalidSignatureException/);
  assert.equal(await outcome({ credential: rotated }, verifier), 'ok');
});

test('five minutes of skew, either way, and not a second more', async () => {
  const minutes = (count: number) => nowMs + count * 60_000;
  assert.equal(await outcome({ atMs: minutes(-5) }), 'ok');
  assert.equal(await outcome({ atMs: minutes(5) }), 'ok');
  assert.equal(
    await outcome({ atMs: minutes(-5) - 1000 }),
    'InvalidSignatureException: Signature expired: 20260102T025904Z is now earlier than ' +
      '20260102T025905Z (20260102T030405Z - 5 min.)',
  );
  assert.equal(
    await outcome({ atMs: minutes(5) + 1000 }),
    'InvalidSignatureException: Signature not yet current: 20260102T030906Z is still later than ' +
      '20260102T030905Z (20260102T030405Z + 5 min.)',
  );
});

test('the scope must be this region and this service', async () => {
  assert.match(
    await outcome({ region: 'eu-west-1' }),
    /^InvalidSignatureException: .*valid region/,
  );
  assert.match(await outcome({ service: 's3' }), /^InvalidSignatureException: .*correct service/);
});

test('no signature, and signatures that cannot be read', async () => {
  const begin = async (headers: Record<string, string>) => {
    try {
      await authenticator().begin({ method: 'GET', rawPath: '/', rawQuery: '', headers });
    } catch (error) {
      if (error instanceof ApiError) return error.exception;
    }
    return 'accepted';
  };
  assert.equal(await begin({}), 'MissingAuthenticationTokenException');
  const dated = { 'x-amz-date': '20260102T030405Z' };
  for (const authorization of [
    'Basic abc',
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00',
    'AWS4-HMAC-SHA256 Credential=a/20260102/us-east-1/lambda/aws4_request, Signature=00',
  ]) {
    assert.equal(await begin({ authorization, ...dated }), 'IncompleteSignatureException');
  }
});

test('a presigned URL is good until it expires', async () => {
  const signer = new SignatureV4({
    ...{ credentials: owner, region: REGION, service: 'lambda', sha256: Sha256 },
  });
  const presign = (ageSeconds: number) =>
    signer.presign(
      {
        ...{ method: 'GET', protocol: 'http:', hostname: 'localhost' },
        ...{
          path: '/2015-03-31/functions',
          query: { MaxItems: '1' },
          headers: { host: 'localhost' },
        },
      },
      { signingDate: new Date(nowMs - ageSeconds * 1000), expiresIn: 900 },
    );
  const verify = async (ageSeconds: number) => {
    const url = await presign(ageSeconds);
    const rawQuery = new URLSearchParams(url.query as Record<string, string>).toString();
    const headers = { host: 'localhost' };
    const request = { method: 'GET', rawPath: url.path, rawQuery, headers };
    (await authenticator().begin(request)).finish(Buffer.alloc(0));
  };
  await verify(0);
  await verify(900);
  await assert.rejects(verify(901), /Signature expired/);
});
