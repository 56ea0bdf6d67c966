import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { changeSetting, ensureDataDirectory } from '../../src/config/mod.ts';
import { writeZip } from '../../src/zip/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { hostHas, hostLacks } from '../support/host.ts';
import { buildTestImage } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { run, runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup', 'tool:python3', 'tool:curl');
const Role = 'arn:aws:iam::000000000000:role/any';

function zipOf(files: Readonly<Record<string, string>>, mode = 0o644): Buffer {
  const members = Object.entries(files).map(([name, text]) => {
    const isSymlink = text.startsWith('->');
    return { name, mode, isSymlink, content: Buffer.from(isSymlink ? text.slice(2) : text) };
  });
  return writeZip(members);
}

const nodeCode = zipOf({
  'index.mjs': `
    import { createRequire } from 'node:module';
    import { existsSync, readFileSync } from 'node:fs';
    import { shared } from './link.mjs';
    const both = createRequire('/var/task/')('both');
    export const handler = async (event) => ({
      ...{ event, shared, both, version: process.version, uid: process.getuid() },
      environment: process.env,
      data: readFileSync('/opt/data.txt', 'utf8'),
      first: existsSync('/opt/first'),
      lang: existsSync('/var/lang/bin/node'),
    });`,
  'lib/shared.mjs': 'export const shared = "through a link";',
  'link.mjs': '->lib/shared.mjs',
});
const pythonCode = zipOf({
  'app.py': `
import os, sqlite3, ssl, sys
import layered
assert os.environ["WRAPPED"] == "yes"
def handler(event, context):
    if event.get("fail"):
        raise KeyError("missing")
    return {"version": sys.version_info[:2], "layered": layered.NAME, "dir": os.getcwd()}
`,
});
const buckets =
  '<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>';
const callsS3 = `
import http.server, threading
import boto3
seen = []
class Fake(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen.append(self.requestline.split("?")[0].removesuffix(" HTTP/1.1"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"${buckets}")
server = http.server.HTTPServer(("127.0.0.1", 8099), Fake)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = boto3.client("s3")
def handler(event, context):
    if "file" in event:
        with open(event["file"], "r+") as file:
            return [file.read(), file.write("written")]
    names = [each["Name"] for each in client.list_buckets()["Buckets"]]
    return [seen[-1], *names]
`;
const nodeCallsS3 = zipOf({
  'index.mjs': `
    import { createServer } from 'node:http';
    import { createRequire } from 'node:module';
    import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
    const { SQSClient } = createRequire(import.meta.url)('@aws-sdk/client-sqs');
    const seen = [];
    createServer(({ method, url }, answer) => {
      seen.push(method, url.split('?')[0]);
      answer.end('${buckets}');
    }).listen(8099, '127.0.0.1');
    const client = new S3Client();
    export const handler = async () => {
      const { Buckets } = await client.send(new ListBucketsCommand({}));
      return [...seen, Buckets[0].Name, typeof SQSClient];
    };`,
});
/** Whether Debian's Python has it, of which the base takes it. */
async function hasBoto3(t: TestContext): Promise<boolean> {
  const probe = await run('/usr/bin/python3', ['-c', 'import boto3']);
  return probe.status === 0 || hostHas(t, 'tool:python3-boto3');
}

const bootstrap = `#!/bin/sh
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(curl -sS -D /tmp/headers "$api/next")
  id=$(grep -i lambda-runtime-aws-request-id /tmp/headers | tr -d '[:space:]' | cut -d: -f2)
  curl -sS "$api/$id/response" -d "{\\"event\\":$event,\\"task\\":\\"$LAMBDA_TASK_ROOT\\"}" > /tmp/out
done
`;

describe('zip functions and layers', { skip: lacks }, () => {
  const scratch = scratchDirectory('zip-functions');
  const dataDirectory = join(scratch.path, 'data');
  const shared = join(scratch.path, 'shared');
  let region: RunningRegion;
  let client: sdk.LambdaClient;
  let layerArns: string[] = [];

  const settled = async (FunctionName: string) => {
    const waiter = { client, maxWaitTime: 600, minDelay: 0.2, maxDelay: 0.5 };
    await sdk.waitUntilFunctionActiveV2(waiter, { FunctionName });
    await sdk.waitUntilFunctionUpdatedV2(waiter, { FunctionName });
  };
  const create = async (
    FunctionName: string,
    Runtime: sdk.Runtime,
    Handler: string,
    ZipFile: Buffer,
    more: Partial<sdk.CreateFunctionCommandInput> = {},
  ) => {
    const input = { FunctionName, Runtime, Handler, Role, Code: { ZipFile }, Timeout: 10, ...more };
    const created = await client.send(new sdk.CreateFunctionCommand(input));
    await settled(FunctionName);
    return created;
  };
  const invoke = async (FunctionName: string, event: unknown = {}) => {
    const Payload = JSON.stringify(event);
    const answer = await client.send(new sdk.InvokeCommand({ FunctionName, Payload }));
    const body = JSON.parse(Buffer.from(answer.Payload ?? []).toString());
    return { functionError: answer.FunctionError, body };
  };
  const publish = async (LayerName: string, files: Readonly<Record<string, string>>) => {
    const Content = { ZipFile: zipOf(files, 0o755) };
    const layer = await client.send(new sdk.PublishLayerVersionCommand({ LayerName, Content }));
    return layer.LayerVersionArn ?? '';
  };

  before(async () => {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const { configFile } = ensureDataDirectory(dataDirectory);
    changeSetting(configFile, 'runtime.nodejs22.x', image);
    mkdirSync(shared);
    changeSetting(configFile, 'filesystems.shared', shared);
    region = await startRegion(undefined, dataDirectory);
    client = region.client();
    layerArns = [
      await publish('one', {
        ...{ 'data.txt': 'one', first: '', 'python/layered.py': 'NAME = "one"' },
        wrap: '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n',
      }),
      await publish('two', {
        'data.txt': 'two',
        'nodejs/node_modules/both/index.js': 'module.exports = "of a layer";',
      }),
    ];
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  test('Node code runs with its layers, in their order, in the environment of Lambda', async () => {
    const created = await create('node', 'nodejs24.x', 'index.handler', nodeCode, {
      Layers: layerArns,
      Environment: { Variables: { GREETING: 'hi' } },
    });
    assert.equal(created.CodeSize, nodeCode.length);
    assert.equal(created.CodeSha256, createHash('sha256').update(nodeCode).digest('base64'));
    const { body } = await invoke('node', { n: 1 });
    const { environment, version, uid, ...rest } = body;
    assert.deepEqual(rest, {
      ...{ event: { n: 1 }, shared: 'through a link', both: 'of a layer' },
      ...{ data: 'two', first: true, lang: true },
    });
    assert.equal(version, process.version);
    assert.notEqual(uid, 0);
    assert.deepEqual(
      ['_HANDLER', 'AWS_EXECUTION_ENV', 'LAMBDA_TASK_ROOT', 'GREETING', 'NODE_PATH'].map(
        (name) => environment[name],
      ),
      [
        ...['index.handler', 'AWS_Lambda_nodejs24.x', '/var/task', 'hi'],
        '/opt/nodejs/node24/node_modules:/opt/nodejs/node_modules:' +
          '/var/runtime/node_modules:/var/runtime:/var/task',
      ],
    );
    assert.match(environment.PATH, /\/opt\/bin$/);
    assert.match(environment.LD_LIBRARY_PATH, /:\/var\/task\/lib:\/opt\/lib$/);
  });

  test('a runtime stands on the image that the operator has set for it', async () => {
    const change = { FunctionName: 'node', Runtime: 'nodejs22.x' } as const;
    await client.send(new sdk.UpdateFunctionConfigurationCommand(change));
    await settled('node');
    const { body } = await invoke('node');
    assert.deepEqual([body.lang, body.data], [false, 'two']);
    assert.equal(body.environment.AWS_EXECUTION_ENV, 'AWS_Lambda_nodejs22.x');
  });

  test('Python code imports from its layer, and fails with a stack', async () => {
    await create('python', 'python3.13', 'app.handler', pythonCode, {
      Layers: [layerArns[0]!],
      Environment: { Variables: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/wrap' } },
    });
    const { body } = await invoke('python');
    assert.deepEqual([body.layered, body.dir, body.version[0]], ['one', '/var/task', 3]);
    const failed = await invoke('python', { fail: true });
    assert.equal(failed.functionError, 'Unhandled');
    assert.deepEqual([failed.body.errorType, failed.body.errorMessage], ['KeyError', "'missing'"]);
    assert.match(failed.body.stackTrace[0], /File "\/var\/task\/app\.py", line 7, in handler/);
  });

  test('Python code has boto3, which goes to the endpoint that the environment names', async (t) => {
    if (!(await hasBoto3(t))) return;
    const FunctionName = 'boto3';
    await create(FunctionName, 'python3.13', 'app.handler', zipOf({ 'app.py': callsS3 }), {
      Environment: { Variables: { AWS_ENDPOINT_URL: 'http://127.0.0.1:8099' } },
      MemorySize: 512,
      Timeout: 60,
    });
    assert.deepEqual((await invoke(FunctionName)).body, ['GET /', 'b']);
    const variables = {
      AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:8099/s3',
      AWS_ENDPOINT_URL: 'http://x',
    };
    await client.send(
      new sdk.UpdateFunctionConfigurationCommand({
        FunctionName,
        Environment: { Variables: variables },
      }),
    );
    await settled(FunctionName);
    assert.deepEqual((await invoke(FunctionName)).body, ['GET /s3', 'b']);
  });

  test('a function reads and writes the directory that stands for its access point', async (t) => {
    if (!(await hasBoto3(t))) return;
    const file = join(shared, 'file');
    writeFileSync(file, 'there ');
    for (const path of [shared, file]) chownSync(path, 54_321, 54_321);
    const FunctionName = 'boto3';
    const Arn = 'arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/shared';
    const FileSystemConfigs = [{ Arn, LocalMountPath: '/mnt/shared' }];
    await client.send(
      new sdk.UpdateFunctionConfigurationCommand({ FunctionName, FileSystemConfigs }),
    );
    await settled(FunctionName);
    const { body } = await invoke(FunctionName, { file: '/mnt/shared/file' });
    assert.deepEqual(body, ['there ', 'written'.length]);
    assert.equal(readFileSync(file, 'utf8'), 'there written');
  });

  test('Node code imports and requires AWS’s SDK, which goes where the environment names', async () => {
    await create('aws-sdk', 'nodejs24.x', 'index.handler', nodeCallsS3, {
      Environment: { Variables: { AWS_ENDPOINT_URL: 'http://127.0.0.1:8099' } },
      MemorySize: 512,
      Timeout: 60,
    });
    assert.deepEqual((await invoke('aws-sdk')).body, ['GET', '/', 'b', 'function']);
  });

  test('a version that the host lacks is a warning where the function is created and shown', async () => {
    const code = join(scratch.path, 'old.zip');
    writeFileSync(code, zipOf({ 'app.py': 'def handler(event, context): return 1' }));
    const sluice = (...words: string[]) =>
      runOrThrow(join(repositoryRoot, 'bin/sluice'), [...words, '--data', dataDirectory]);
    const words = ['--zip', code, '--runtime', 'python3.10', '--handler', 'app.handler'];
    const warning = /^warning {3}python3\.10: this region runs it on Python 3\.\d+\.\d+$/m;
    assert.match(await sluice('function', 'create', 'old', ...words), warning);
    assert.match(await sluice('function', 'get', 'old'), warning);
    assert.match(await sluice('function', 'update', 'old', '--zip', code), warning);
    assert.equal((await invoke('old')).body, 1);
    const said = /The function is of python3\.10 and runs on python3\.\d+$/gm;
    assert.equal((await sluice('logs', 'old')).match(said)?.length, 1);
  });

  test('a function’s own bootstrap runs, whether in the code or in a layer', async () => {
    await create('own', 'provided.al2023', 'any', zipOf({ bootstrap }, 0o700));
    assert.deepEqual((await invoke('own', { a: 1 })).body, { event: { a: 1 }, task: '/var/task' });
    const [script, code] = [join(scratch.path, 'bootstrap'), join(scratch.path, 'code.zip')];
    writeFileSync(script, bootstrap, { mode: 0o755 });
    writeFileSync(code, zipOf({ 'x.sh': '' }));
    const sluice = (...words: string[]) =>
      runOrThrow(join(repositoryRoot, 'bin/sluice'), [...words, '--data', dataDirectory]);
    assert.match(await sluice('layer', 'publish', 'runtime', '--zip', script), /:layer:runtime:1 /);
    const words = ['--zip', code, '--runtime', 'provided.al2', '--handler', 'any'];
    const shown = await sluice('function', 'create', 'layered', ...words, '--layer', 'runtime');
    assert.match(shown, /^layer {5}arn:aws:lambda:us-east-1:000000000000:layer:runtime:1$/m);
    assert.match(await sluice('layer', 'list'), /^runtime +1 /m);
    assert.deepEqual((await invoke('layered')).body.event, {});
  });

  test('an extension that a layer brings runs, and its end is the function’s', async () => {
    const extension = await publish('extension', {
      'extensions/watcher': '#!/bin/sh\necho "$0 begins"\nexit 3\n',
    });
    await create('extended', 'python3.13', 'app.handler', pythonCode, { Layers: [extension] });
    const { body } = await invoke('extended');
    assert.equal(body.errorType, 'Extension.Crash');
    assert.match(body.errorMessage, /^RequestId: \S+ Error: exit status 3$/);
    const sluice = join(repositoryRoot, 'bin/sluice');
    const log = await runOrThrow(sluice, ['logs', 'extended', '--data', dataDirectory]);
    assert.match(log, /\/opt\/extensions\/watcher begins$/m);
  });

  test('code is replaced, published, downloaded; what cannot be kept fails with the cause', async () => {
    const FunctionName = 'node';
    const ZipFile = zipOf({ 'index.js': 'exports.handler = async () => "new";' });
    const dry = await client.send(
      new sdk.UpdateFunctionCodeCommand({ FunctionName, ZipFile, DryRun: true }),
    );
    assert.equal(dry.CodeSize, ZipFile.length);
    assert.equal((await invoke('node')).body.data, 'two');
    const updated = await client.send(
      new sdk.UpdateFunctionCodeCommand({ FunctionName, ZipFile, Publish: true }),
    );
    assert.equal(updated.Version, '1');
    await settled(FunctionName);
    assert.equal((await invoke('node')).body, 'new');
    assert.equal((await invoke('node:1')).body, 'new');
    const { Code } = await client.send(new sdk.GetFunctionCommand({ FunctionName }));
    const download = await fetch(Code?.Location ?? '');
    assert.deepEqual(Buffer.from(await download.arrayBuffer()), ZipFile);
    const unkeepable = zipOf({ link: '->/etc', 'link/passwd': 'x' });
    await client.send(new sdk.UpdateFunctionCodeCommand({ FunctionName, ZipFile: unkeepable }));
    await assert.rejects(settled(FunctionName));
    const { Configuration } = await client.send(new sdk.GetFunctionCommand({ FunctionName }));
    assert.equal(Configuration?.LastUpdateStatusReasonCode, 'InvalidZipFileException');
    assert.match(Configuration?.LastUpdateStatusReason ?? '', /lies below a symbolic link/);
    assert.equal((await invoke('node')).body, 'new');
  });

  test('functions and layers are there after kill -9', async () => {
    await region.kill();
    region = await startRegion(undefined, dataDirectory);
    client = region.client();
    assert.equal((await invoke('node')).body, 'new');
    const { Layers } = await client.send(new sdk.ListLayersCommand({}));
    assert.deepEqual(
      Layers?.map(({ LayerName }) => LayerName),
      ['extension', 'one', 'runtime', 'two'],
    );
    await client.send(
      new sdk.UpdateFunctionConfigurationCommand({ FunctionName: 'python', Layers: [] }),
    );
    await settled('python');
    const { body } = await invoke('python');
    // The wrapper that the function names went with the layer.
    assert.equal(body.errorType, 'Runtime.ExitError');
    assert.match(body.errorMessage, /Error: Runtime exited with error: exit status 127$/);
  });
});
