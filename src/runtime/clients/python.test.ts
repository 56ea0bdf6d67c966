import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { hostHas, hostLacks } from '../../../test/support/host.ts';
import type { RuntimeOutcome } from '../types.ts';
import { REQUEST_ID, startClient } from './testing/client-process.fixture.ts';

const app = `
import decimal, json, logging, sys

def answer(event, context):
    return {"got": event, "half": decimal.Decimal("0.5"), "accent": "é"}

def raises(event, context):
    raise ValueError("no\\nway")

def no_json(event, context):
    return {1, 2}

def exits(event, context):
    sys.exit(7)

def about(event, context):
    return [
        context.aws_request_id, context.function_name, context.memory_limit_in_mb,
        context.get_remaining_time_in_millis() > 1000, context.client_context.custom["k"],
        context.identity.cognito_identity_id,
    ]

def logs(event, context):
    print("printed")
    logging.getLogger().info("hidden")
    logging.warning("shown\\ntwice")

def handler(event, context):
    return globals()[event["name"]](event, context)
`;

const start = (t: TestContext, environment = {}) =>
  startClient(t, {
    family: 'python',
    handler: 'app.handler',
    files: { 'app.py': app },
    environment,
  });

function bodyOf(outcome: RuntimeOutcome, kind: 'response' | 'error') {
  assert.ok(outcome.kind === kind, `${outcome.kind}: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.body.toString());
}

test('a Python handler answers, and knows its context', async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const client = await start(t);
  const outcome = await client.invoke({ name: 'answer' });
  assert.deepEqual(bodyOf(outcome, 'response'), {
    ...{ got: { name: 'answer' }, half: 0.5, accent: 'é' },
  });
  assert.ok(outcome.kind === 'response' && outcome.body.includes('é'));
  const clientContext = '{"custom":{"k":"ü"}}';
  const about = await client.invoke({ name: 'about' }, { clientContext });
  assert.deepEqual(bodyOf(about, 'response'), [REQUEST_ID, 'f', '128', true, 'ü', null]);
});

test('an exception is answered with its stack, logged on one line, and the process goes on', async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const client = await start(t);
  const body = bodyOf(await client.invoke({ name: 'raises' }), 'error');
  assert.deepEqual(
    [body.errorType, body.errorMessage, body.requestId],
    ['ValueError', 'no\nway', REQUEST_ID],
  );
  assert.equal(body.stackTrace.length, 2);
  assert.match(
    body.stackTrace[1],
    /^ {2}File ".*app\.py", line 8, in raises\n {4}raise ValueError/,
  );
  const [line = ''] = await client.lines(1);
  assert.match(line, /^\[ERROR\] ValueError: no\rway\rTraceback [^\n]*\r\u00a0{2}File [^\n]*$/);
  const marshal = bodyOf(await client.invoke({ name: 'no_json' }), 'error');
  assert.equal(marshal.errorType, 'Runtime.MarshalError');
  assert.equal(
    marshal.errorMessage,
    'Unable to marshal response: Object of type set is not JSON serializable',
  );
  assert.ok(bodyOf(await client.invoke({ name: 'answer' }), 'response'));
  assert.equal((await client.invoke({ name: 'exits' })).kind, 'closed');
  assert.equal(await client.exited, 7);
});

test('prints come at once, and logging is set up as Lambda does', async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const text = await start(t);
  await text.invoke({ name: 'logs' });
  assert.match(
    (await text.lines(2)).join('\n'),
    /^printed\n\[WARNING\]\t\d{4}-\d\d-\d\dT[\d:.]+Z\t8286a188-[0-9a-f-]+\tshown\rtwice$/,
  );
  const json = await start(t, { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' });
  await json.invoke({ name: 'logs' });
  const [, info, warning] = await json.lines(3);
  assert.deepEqual(
    [info, warning].map((line) => JSON.parse(line ?? '').message),
    ['hidden', 'shown\ntwice'],
  );
});

describe('a Python handler that cannot be loaded', { skip: hostLacks('tool:python3') }, () => {
  const cases: readonly [string, Record<string, string>, string, RegExp][] = [
    ['app.h', {}, 'Runtime.ImportModuleError', /^Unable to import module 'app': No module named/],
    ['app.h', { 'app.py': 'import nil' }, 'Runtime.ImportModuleError', /No module named 'nil'$/],
    ['app.h', { 'app.py': '' }, 'Runtime.HandlerNotFound', /^Handler 'h' missing on module 'app'$/],
    [
      'app.h',
      { 'app.py': 'x = (' },
      'Runtime.UserCodeSyntaxError',
      /^Syntax error in module 'app'/,
    ],
    ['app.h', { 'app.py': '1/0' }, 'ZeroDivisionError', /^division by zero$/],
    ['app', {}, 'Runtime.MalformedHandlerName', /^Bad handler 'app': not enough values/],
  ];
  for (const [handler, files, type, message] of cases) {
    test(`${handler} with ${JSON.stringify(files)} is ${type}`, async (t) => {
      const client = await startClient(t, { family: 'python', handler, files });
      const init = await client.init;
      assert.ok(init.kind === 'error', client.output());
      const body = JSON.parse(init.body.toString());
      assert.equal(body.errorType, type);
      assert.match(body.errorMessage, message);
      assert.equal(await client.exited, 1);
    });
  }
});

test('a handler below a directory is found', async (t) => {
  if (!hostHas(t, 'tool:python3')) return;
  const files = { 'pkg/mod.py': 'def h(event, context):\n    return __name__\n' };
  const client = await startClient(t, { family: 'python', handler: 'pkg/mod.h', files });
  assert.equal(bodyOf(await client.invoke({}), 'response'), 'pkg.mod');
});
