import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { allOperations } from './operations/all.ts';
import type { Services } from './services.ts';
import { IMAGE, REGION, ROLE, startFrontend, stranger } from './testing/harness.fixture.ts';
import { createActive } from './testing/lambda.fixture.ts';
import {
  call,
  exchange,
  formatRequest,
  parseResponse,
  type RawRequest,
} from './testing/raw-http.fixture.ts';

const secret = 'what only the stranger may know';
const theirs = `arn:aws:lambda:${REGION}:${stranger.accountId}:function:theirs`;

const queueArn = `arn:aws:sqs:${REGION}:000000000000:q`;

async function setUp(t: TestContext) {
  const harness = await startFrontend(t);
  harness.queues.visibilityTimeoutSeconds.set(queueArn, 30);
  await createActive(harness.client());
  const Environment = { Variables: { SECRET: secret } };
  const input = { FunctionName: 'theirs', Description: secret, Environment };
  await createActive(harness.client(stranger), input);
  return harness;
}

/** Whatever was sent: an answer, no fault of ours, a type for each refusal, nothing of others. */
function requireManners(request: RawRequest, answer: ReturnType<typeof parseResponse>): void {
  const what = `${request.method} ${request.path} ${request.body ?? ''} → ${answer.body}`;
  assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status} ${what}`);
  assert.ok(!answer.body.includes(secret), what);
  assert.match(answer.headers['x-amzn-requestid'] ?? '', /^[0-9a-f-]{36}$/i, what);
  if (answer.status < 400) return;
  assert.match(answer.headers['x-amzn-errortype'] ?? '', /^[A-Z]\w+Exception$/, what);
  const { Type, message, Message } = JSON.parse(answer.body);
  assert.equal(Type, 'User', what);
  assert.equal(message, Message, what);
}

const names = fc.oneof(
  fc.constantFrom(
    'f',
    'f:$LATEST',
    'f:1',
    'theirs',
    theirs,
    `arn:aws:lambda:${REGION}:000000000000:function:f`,
    'arn:aws:lambda:eu-west-1:000000000000:function:f',
    `${stranger.accountId}:function:theirs`,
    '__proto__',
    'constructor',
    '..',
    '$LATEST',
  ),
  fc.string({ maxLength: 200, unit: 'binary' }).filter((each) => each.isWellFormed()),
);

const words = fc.constantFrom(
  'FunctionName',
  'Role',
  'Code',
  'ImageUri',
  'ZipFile',
  'Timeout',
  'MemorySize',
  'Environment',
  'Variables',
  'Layers',
  'Tags',
  'Name',
  'FunctionVersion',
  'RoutingConfig',
  'AdditionalVersionWeights',
  'StatementId',
  'Action',
  'Principal',
  'ReservedConcurrentExecutions',
  'ProvisionedConcurrentExecutions',
  'MaximumRetryAttempts',
  'DestinationConfig',
  'OnFailure',
  'Destination',
  'AuthType',
  'Cors',
  'Content',
  'EventSourceArn',
  'BatchSize',
  'Enabled',
  'FilterCriteria',
  'Filters',
  'Pattern',
  'FunctionResponseTypes',
  'MaximumBatchingWindowInSeconds',
  'ScalingConfig',
  'MaximumConcurrency',
  'StartingPosition',
  'PackageType',
  'Architectures',
  'ImageConfig',
  'LoggingConfig',
  '__proto__',
);
const leaves = fc.oneof(
  fc.constantFrom(
    ROLE,
    IMAGE,
    'f',
    theirs,
    queueArn,
    '{"body":[{"prefix":"a"}]}',
    '$LATEST',
    '1',
    'NONE',
    'lambda:*',
    'Image',
    'Zip',
    '*',
  ),
  fc.constantFrom(null, true, 0, -1, 1, 1.5, 1e300, 2 ** 53, '', '\u0000', '💥', 'x'.repeat(5000)),
  fc.string({ maxLength: 20 }),
);
const { value: bodies } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaves,
    fc.dictionary(words, tie('value'), { maxKeys: 8 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
  ),
}));
const created = fc
  .record({ change: fc.dictionary(words, bodies, { maxKeys: 3 }) })
  .map(({ change }) => ({
    ...{ FunctionName: 'n', Role: ROLE, PackageType: 'Image', Code: { ImageUri: IMAGE } },
    ...change,
  }));
const mapped = fc
  .record({ change: fc.dictionary(words, bodies, { maxKeys: 3 }) })
  .map(({ change }) => ({ FunctionName: 'f', EventSourceArn: queueArn, ...change }));
const texts = fc.oneof(
  { weight: 4, arbitrary: bodies.map((each) => JSON.stringify(each)) },
  { weight: 2, arbitrary: created.map((each) => JSON.stringify(each)) },
  { weight: 1, arbitrary: mapped.map((each) => JSON.stringify(each)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 100 }) },
);

const queries = fc.dictionary(
  fc.constantFrom('Qualifier', 'Marker', 'MaxItems', 'FunctionVersion', 'tagKeys', 'List', 'find'),
  fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom('$LATEST', 'ALL', '1', '-1', 'e30', 'W10'),
  ),
  { maxKeys: 3 },
);
const headerSets = fc.dictionary(
  fc.constantFrom(
    'x-amz-invocation-type',
    'x-amz-log-type',
    'x-amz-client-context',
    'x-amzn-trace-id',
    'x-amzn-requestid',
    'content-type',
  ),
  fc.oneof(
    fc.stringMatching(/^[ -~]{0,30}$/),
    fc.constantFrom('Event', 'Tail', 'e30=', 'bnVsbA=='),
  ),
  { maxKeys: 3 },
);

test('no body, header, query or name makes the service fail, hang or tell', async (t) => {
  const { port } = await setUp(t);
  const operations = allOperations({} as Services);
  const requests = fc
    .record({
      operation: fc.constantFrom(...operations),
      name: names,
      query: queries,
      headers: headerSets,
      body: texts,
    })
    .map(({ operation, name, query, headers, body }): RawRequest => {
      const search = new URLSearchParams(query).toString().replaceAll('+', '%20');
      const path = operation.path.replace(/:\w+/g, () => encodeURIComponent(name));
      const sends = operation.method === 'POST' || operation.method === 'PUT';
      return {
        method: operation.method,
        path: search === '' ? path : `${path}?${search}`,
        headers,
        ...(sends ? { body } : {}),
      };
    });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(requests, async (request) => {
      const answer = await call(port, request);
      if (answer.status < 300) accepted++;
      requireManners(request, answer);
    }),
    { numRuns: propertyRuns(200) },
  );
  assert.ok(accepted > 0, 'nothing got past the first check');
});

test('no path makes the service fail, hang or tell, signed or not', async (t) => {
  const { port } = await setUp(t);
  const part = fc.oneof(
    fc.constantFrom(
      '2015-03-31',
      'functions',
      'f',
      'invocations',
      'lambda-url',
      'archives',
      '..',
      '.',
    ),
    fc.constantFrom('%', '%2F', '%00', '%zz', '%ff', ':', '*', ';', '', '2017-03-31', 'tags'),
    fc.stringMatching(/^[!-"$->@-~]{0,12}$/),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 6 }),
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
      async (parts, method) => {
        const request = { method, path: `/${parts.join('/')}` };
        const text = formatRequest(request, { host: 'localhost' });
        const answer = parseResponse(await exchange(port, text));
        const what = `${method} ${request.path} → ${answer.status} ${answer.body}`;
        assert.ok(answer.status >= 200 && answer.status < 500, what);
        assert.ok(!answer.body.includes(secret), what);
      },
    ),
    { numRuns: propertyRuns(300) },
  );
});

test('no bytes on the socket make the service fail or hang', async (t) => {
  const { port } = await setUp(t);
  const line = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'POST /2015-03-31/functions/f/invocations HTTP/1.1\r\n',
      'host: x\r\n',
      'content-length: 5\r\n',
      'content-length: -1\r\n',
      'transfer-encoding: chunked\r\n',
      'authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e\r\n',
      'x-amz-date: 20260101T000000Z\r\n',
      '\r\n',
      '5\r\nhello\r\n',
      'ffffffffffffffff\r\n',
    ),
    fc.string({ maxLength: 30, unit: 'binary' }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      // The blank lines end whatever head was begun; a body still missing is cut off by us.
      const received = await exchange(
        port,
        `${lines.join('')}\r\n\r\n`,
        (got) => got.includes('\r\n\r\n'),
        300,
      );
      if (received !== '') assert.match(received, /^HTTP\/1\.1 (100|2\d\d|4\d\d) /);
    }),
    { numRuns: propertyRuns(200) },
  );
  const health = 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
  assert.equal(parseResponse(await exchange(port, health)).status, 200);
});
