import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { Sha256 } from '@aws-crypto/sha256-js';
import * as sdk from '@aws-sdk/client-lambda';
import { SignatureV4 } from '@smithy/signature-v4';
import { SluiceError } from '../../base/mod.ts';
import {
  type Harness,
  owner,
  REGION,
  startFrontend,
  stranger,
} from '../testing/harness.fixture.ts';
import { createActive, refusal } from '../testing/lambda.fixture.ts';
import { sign } from '../testing/raw-http.fixture.ts';

const FunctionName = 'f';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks as a browser does: by the host's name, which stands for the loopback address. */
function ask(
  { port }: Harness,
  url: string,
  options: { method?: string; path?: string; headers?: object; body?: string | Buffer } = {},
): Promise<Answer> {
  const { method = 'GET', path = '/', headers = {}, body } = options;
  const host = new URL(url).host;
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, method, path, headers: { host, ...headers } },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

async function withUrl(
  t: TestContext,
  given: Partial<sdk.CreateFunctionUrlConfigCommandInput> = {},
) {
  const harness = await startFrontend(t);
  const lambda = harness.client();
  await createActive(lambda);
  const made = await lambda.send(
    new sdk.CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE', ...given }),
  );
  if (made.AuthType === 'NONE') {
    await lambda.send(
      new sdk.AddPermissionCommand({
        ...{ FunctionName, StatementId: 'open', Principal: '*', FunctionUrlAuthType: 'NONE' },
        Action: 'lambda:InvokeFunctionUrl',
      }),
    );
  }
  return { harness, lambda, url: made.FunctionUrl ?? '' };
}

const answering = (harness: Harness, value: unknown) => {
  harness.invoker.answer = () => ({
    status: 'ok',
    payload: Buffer.from(JSON.stringify(value)),
    executedVersion: '$LATEST',
  });
};

test('a URL is configured, read, changed, listed and taken away', async (t) => {
  const { lambda, url } = await withUrl(t, { Cors: { AllowOrigins: ['*'], MaxAge: 5 } });
  assert.match(url, /^http:\/\/[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:\d+\/$/);
  const got = await lambda.send(new sdk.GetFunctionUrlConfigCommand({ FunctionName }));
  assert.deepEqual(got.Cors, { AllowOrigins: ['*'], MaxAge: 5 });
  assert.equal(got.InvokeMode, undefined);
  const changed = await lambda.send(
    new sdk.UpdateFunctionUrlConfigCommand({ FunctionName, InvokeMode: 'RESPONSE_STREAM' }),
  );
  assert.equal(changed.FunctionUrl, url);
  assert.equal(changed.InvokeMode, 'RESPONSE_STREAM');
  const listed = await lambda.send(new sdk.ListFunctionUrlConfigsCommand({ FunctionName }));
  assert.equal(listed.FunctionUrlConfigs?.length, 1);
  const create = (Qualifier?: string) =>
    refusal(
      lambda.send(
        new sdk.CreateFunctionUrlConfigCommand({ FunctionName, Qualifier, AuthType: 'NONE' }),
      ),
    );
  assert.match((await create()).message, /Error message: FunctionUrlConfig exists for this Lambda/);
  assert.match((await create('1')).message, /'qualifier' failed to satisfy/);
  await lambda.send(new sdk.DeleteFunctionUrlConfigCommand({ FunctionName }));
  const gone = await refusal(lambda.send(new sdk.GetFunctionUrlConfigCommand({ FunctionName })));
  assert.equal(gone.message, 'The resource you requested does not exist.');
});

test('the function sees the request as payload format 2.0', async (t) => {
  const { harness, url } = await withUrl(t);
  await ask(harness, url, {
    method: 'POST',
    path: '/a%20b/c?x=1&y=2&x=3&e=',
    headers: { 'content-type': 'application/json', Cookie: 'a=1; b=2', 'X-Custom': 'v' },
    body: '{"k":1}',
  });
  const event = JSON.parse(harness.invoker.requests[0]?.payload.toString() ?? '');
  const { requestContext, headers, ...rest } = event;
  assert.deepEqual(rest, {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/a b/c',
    rawQueryString: 'x=1&y=2&x=3&e=',
    cookies: ['a=1', 'b=2'],
    queryStringParameters: { x: '1,3', y: '2', e: '' },
    body: '{"k":1}',
    isBase64Encoded: false,
  });
  assert.equal(headers['x-custom'], 'v');
  assert.equal(headers['cookie'], undefined);
  assert.match(headers['x-amzn-trace-id'], /^Root=1-/);
  assert.equal(headers['x-forwarded-proto'], 'http');
  assert.equal(requestContext.accountId, 'anonymous');
  assert.equal(requestContext.http.method, 'POST');
  assert.equal(requestContext.http.sourceIp, '127.0.0.1');
  assert.equal(`http://${requestContext.domainName}/`, url);
  assert.match(requestContext.time, /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  const binary = Buffer.from([0xff, 0, 1]);
  await ask(harness, url, { method: 'PUT', body: binary });
  const second = JSON.parse(harness.invoker.requests[1]?.payload.toString() ?? '');
  assert.equal(second.isBase64Encoded, true);
  assert.deepEqual(Buffer.from(second.body, 'base64'), binary);
});

test('what the function returns becomes the response', async (t) => {
  const { harness, url } = await withUrl(t);
  const answers: [unknown, string][] = [
    ['hello', 'hello'],
    [3, '3'],
    [true, 'true'],
    [[1, 'a'], '[1,"a"]'],
    [{ a: 1 }, '{"a":1}'],
    [null, 'null'],
  ];
  for (const [value, body] of answers) {
    answering(harness, value);
    const answer = await ask(harness, url);
    assert.equal(answer.status, 200);
    assert.equal(answer.body, body);
    assert.equal(answer.headers['content-type'], 'application/json');
  }
  answering(harness, {
    statusCode: 404,
    headers: { 'content-type': 'text/plain', 'content-length': '1', connection: 'close' },
    cookies: ['a=1', 'b=2; Secure'],
    body: Buffer.from('gone').toString('base64'),
    isBase64Encoded: true,
  });
  const described = await ask(harness, url);
  assert.equal(described.status, 404);
  assert.equal(described.body, 'gone');
  assert.equal(described.headers['content-type'], 'text/plain');
  assert.deepEqual(described.headers['set-cookie'], ['a=1', 'b=2; Secure']);
  for (const value of [{ statusCode: 'x' }, { statusCode: 200, headers: { 'a b': '1' } }]) {
    answering(harness, value);
    assert.equal((await ask(harness, url)).status, 502, JSON.stringify(value));
  }
});

test('failures have their own status', async (t) => {
  const { harness, url } = await withUrl(t);
  harness.invoker.answer = () => ({
    status: 'function-error',
    functionError: 'Unhandled',
    payload: Buffer.from('{"errorMessage":"secret"}'),
    executedVersion: '$LATEST',
  });
  const failed = await ask(harness, url);
  assert.equal(failed.status, 502);
  assert.equal(failed.body, 'Internal Server Error');
  harness.invoker.answer = () => {
    throw new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', 'full');
  };
  assert.equal((await ask(harness, url)).status, 429);
  const large = await ask(harness, url, { method: 'POST', body: Buffer.alloc(6_291_457, 'x') });
  assert.equal(large.status, 413);
  const nowhere = `http://${'a'.repeat(32)}.lambda-url.us-east-1.localhost/`;
  const missing = await ask(harness, nowhere);
  assert.equal(missing.status, 403);
  assert.equal(missing.headers['x-amzn-errortype'], 'AccessDeniedException');
});

test('a URL for everybody is closed until the policy says that it is open', async (t) => {
  const { harness, lambda, url } = await withUrl(t);
  assert.equal((await ask(harness, url)).status, 200);
  await lambda.send(new sdk.RemovePermissionCommand({ FunctionName, StatementId: 'open' }));
  assert.equal((await ask(harness, url)).status, 403);
});

test('a URL with AWS_IAM takes signed requests of those who may', async (t) => {
  const { harness, lambda, url } = await withUrl(t, { AuthType: 'AWS_IAM' });
  const { host } = new URL(url);
  const signed = async (credential?: typeof stranger) => {
    const headers = await sign(
      { method: 'GET', path: '/p', headers: { host } },
      credential ? { credential } : {},
    );
    return ask(harness, url, { path: '/p', headers });
  };
  assert.equal((await ask(harness, url)).status, 403);
  assert.equal((await signed()).status, 200);
  const event = JSON.parse(harness.invoker.requests[0]?.payload.toString() ?? '');
  assert.equal(event.requestContext.authorizer.iam.accountId, '000000000000');
  const signer = new SignatureV4({
    ...{ credentials: owner, region: REGION, service: 'lambda', sha256: Sha256 },
  });
  const presigned = await signer.presign(
    {
      ...{ method: 'GET', protocol: 'http:', hostname: host, path: '/p' },
      ...{ query: { a: '1' }, headers: { host } },
    },
    { expiresIn: 60 },
  );
  const query = new URLSearchParams(presigned.query as Record<string, string>);
  assert.equal((await ask(harness, url, { path: `/p?${query}` })).status, 200);
  query.set('a', '2');
  assert.equal((await ask(harness, url, { path: `/p?${query}` })).status, 403);
  assert.equal((await signed(stranger)).status, 403);
  await lambda.send(
    new sdk.AddPermissionCommand({
      ...{ FunctionName, StatementId: 'other', Principal: stranger.accountId },
      ...{ Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'AWS_IAM' },
    }),
  );
  assert.equal((await signed(stranger)).status, 200);
});

test('the path form serves where the name does not resolve', async (t) => {
  const { harness, url } = await withUrl(t);
  const id = new URL(url).host.slice(0, 32);
  const path = `/lambda-url/${id}/deep/path?q=1`;
  const answer = await ask(harness, 'http://localhost/', { path });
  assert.equal(answer.status, 200);
  const event = JSON.parse(harness.invoker.requests[0]?.payload.toString() ?? '');
  assert.equal(event.rawPath, '/deep/path');
});

test('CORS: preflight is answered here, and allowed origins are told so', async (t) => {
  const { harness, url } = await withUrl(t, {
    Cors: { AllowOrigins: ['https://a.example'], AllowMethods: ['GET'], AllowCredentials: true },
  });
  const preflight = (origin: string) =>
    ask(harness, url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET' },
    });
  const allowed = await preflight('https://a.example');
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://a.example');
  assert.equal(allowed.headers['access-control-allow-methods'], 'GET');
  const other = await preflight('https://b.example');
  assert.equal(other.headers['access-control-allow-origin'], undefined);
  assert.equal(harness.invoker.requests.length, 0);
});

test('a streaming URL sends what the prelude says, then the bytes', async (t) => {
  const { harness, url } = await withUrl(t, { InvokeMode: 'RESPONSE_STREAM' });
  const stream = (type: string, ...chunks: string[]) => {
    harness.invoker.answer = async ({ sink }) => {
      sink?.begin(type);
      for (const each of chunks) await sink?.write(Buffer.from(each));
      return { status: 'ok', payload: Buffer.alloc(0), executedVersion: '$LATEST' };
    };
  };
  stream('text/html', '<p>', 'x');
  const plain = await ask(harness, url);
  assert.equal(plain.headers['content-type'], 'text/html');
  assert.equal(plain.body, '<p>x');
  const prelude = 'application/vnd.awslambda.http-integration-response';
  stream(
    prelude,
    '{"statusCode":201,"headers":{"content-type":"text/css"',
    ',"x":"y"},"cookies":["c=1"]}\0\0\0',
    '\0\0\0\0\0bo',
    'dy',
  );
  const described = await ask(harness, url);
  assert.equal(described.status, 201);
  assert.equal(described.headers['content-type'], 'text/css');
  assert.deepEqual(described.headers['set-cookie'], ['c=1']);
  assert.equal(described.body, 'body');
  stream(prelude, '{"statusCode":');
  assert.equal((await ask(harness, url)).status, 502);
  harness.invoker.answer = async ({ sink }) => {
    sink?.begin('text/html');
    await sink?.write(Buffer.from('half'));
    const payload = Buffer.from('{}');
    return { status: 'function-error', payload, executedVersion: '$LATEST' };
  };
  await assert.rejects(ask(harness, url), 'a part is not taken for the whole');
  answering(harness, 'buffered');
  assert.equal((await ask(harness, url)).body, '"buffered"');
});

test('a path is decoded once and its slashes are folded', async (t) => {
  const { harness, url } = await withUrl(t);
  answering(harness, { ok: true });
  await ask(harness, url, { path: '//pa2%25Fth/1' });
  const event = JSON.parse(String(harness.invoker.requests.at(-1)?.payload));
  assert.equal(event.rawPath, '/pa2%Fth/1');
  assert.equal(event.requestContext.http.path, '/pa2%Fth/1');
});

test('objects and lists come without white space, and headers of the connection stay here', async (t) => {
  const { harness, url } = await withUrl(t);
  harness.invoker.answer = () => ({
    ...{ status: 'ok', executedVersion: '$LATEST' },
    payload: Buffer.from('[1, {"a": 2}]'),
  });
  const answer = await ask(harness, url, {
    headers: { te: 'trailers', 'keep-alive': 'timeout=5' },
  });
  assert.equal(answer.body, '[1,{"a":2}]');
  const event = JSON.parse(String(harness.invoker.requests.at(-1)?.payload));
  assert.deepEqual(
    ['te', 'keep-alive', 'connection'].filter((name) => name in event.headers),
    [],
  );
});

test('a 204 has no length and no body, whatever the function gave', async (t) => {
  const { harness, url } = await withUrl(t);
  const headers = { 'Content-Length': '3', 'x-kept': 'yes' };
  answering(harness, { statusCode: 204, headers, body: 'abc' });
  const answer = await ask(harness, url);
  assert.equal(answer.status, 204);
  assert.equal(answer.headers['content-length'], undefined);
  assert.equal(answer.headers['transfer-encoding'], undefined);
  assert.equal(answer.headers['x-kept'], 'yes');
  assert.equal(answer.body, '');
});
