import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { hostHas } from '../../test/support/host.ts';
import { run } from '../../test/support/run.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { TarWriter } from '../oci/mod.ts';
import { nodeSdk, pythonSdk } from './host-sdk.ts';

const python = '/usr/bin/python3';

function fill(directory: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

/** The files of a layer by path, by way of its tar stream. */
async function filesOf(sdk: Awaited<ReturnType<typeof nodeSdk>>): Promise<Map<string, Buffer>> {
  assert.ok(sdk);
  const parts: Buffer[] = [];
  const tar = new TarWriter(async (bytes) => void parts.push(Buffer.from(bytes)));
  const { write } = await sdk.layer();
  await write(tar);
  await tar.end();
  const [stream, files] = [Buffer.concat(parts), new Map<string, Buffer>()];
  for (let at = 0; at + 512 <= stream.length && stream[at] !== 0; ) {
    const field = (from: number, to: number) =>
      stream.toString('latin1', at + from, at + to).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 136), 8);
    const content = stream.subarray(at + 512, at + 512 + size);
    if (field(156, 157) === '0')
      files.set([field(345, 500), field(0, 100)].filter(Boolean).join('/'), content);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

const boto3 = {
  'boto3/__init__.py': "__version__ = '1.26.5'\n",
  'botocore/__init__.py': "__version__ = '1.29.5'\n",
  'botocore/loaders.py': "methods = {'.json.gz': 1}\n",
  'botocore/session.py': 'class Session: ...\n',
  'botocore/data/s3/service-2.json': '{"metadata":{}}',
  'bin/tool': '',
};

test('a directory with boto3 becomes a layer: services compressed, an old one taught endpoints', async (t) => {
  const directory = fill(temporaryDirectory(t), boto3);
  const sdk = await pythonSdk(directory, python, undefined);
  assert.match(sdk?.name ?? '', /^boto3-1\.26\.5-[0-9a-f]{12}$/);
  const files = await filesOf(sdk);
  const service = files.get('var/runtime/botocore/data/s3/service-2.json.gz');
  assert.equal(gunzipSync(service ?? '').toString(), '{"metadata":{}}');
  assert.match(
    String(files.get('var/runtime/botocore/session.py')),
    /honour_environment\(Session\)/,
  );
  assert.equal(files.has('var/runtime/bin/tool'), false);
  fill(directory, {
    'botocore/__init__.py': "__version__ = '1.43.0'\n",
    'botocore/loaders.py': '',
  });
  const newer = await filesOf(await pythonSdk(directory, python, undefined));
  assert.equal(String(newer.get('var/runtime/botocore/session.py')), 'class Session: ...\n');
  assert.ok(newer.has('var/runtime/botocore/data/s3/service-2.json'));
});

test('a host without boto3 has none, a directory without it is refused by name, off is off', async (t) => {
  const directory = temporaryDirectory(t);
  assert.equal(await pythonSdk('host', python, undefined), undefined);
  assert.equal(await pythonSdk('off', python, '/any'), undefined);
  assert.equal(await nodeSdk('off'), undefined);
  const lack = (name: string) => (error: { code: string; message: string }) =>
    error.code === 'HOST_LACKS' && error.message.startsWith(`${name}: ${directory} has no `);
  await assert.rejects(pythonSdk(directory, python, undefined), lack('sdk.python'));
  await assert.rejects(nodeSdk(directory), lack('sdk.nodejs'));
});

test('a directory of npm’s becomes a layer without types and maps', async (t) => {
  const directory = fill(temporaryDirectory(t), {
    'node_modules/@aws-sdk/client-x/package.json': '{}',
    'node_modules/@aws-sdk/client-x/dist-cjs/index.js': '',
    'node_modules/@aws-sdk/client-x/dist-cjs/index.js.map': '',
    'node_modules/@aws-sdk/client-x/dist-types/index.d.ts': '',
    'node_modules/.bin/x': '',
  });
  const files = await filesOf(await nodeSdk(directory));
  const root = 'var/runtime/node_modules/@aws-sdk/client-x';
  assert.deepEqual([...files.keys()], [`${root}/dist-cjs/index.js`, `${root}/package.json`]);
});

test('Sluice’s own packages of AWS’s SDK come with all that they stand on, under one name', async () => {
  const sdk = await nodeSdk('host');
  assert.equal((await nodeSdk('host'))?.name, sdk?.name);
  const files = await filesOf(sdk);
  for (const name of ['@aws-sdk/client-s3', '@aws-sdk/client-sqs', '@smithy/core', 'tslib']) {
    assert.ok(files.has(`var/runtime/node_modules/${name}/package.json`), name);
  }
  assert.equal(files.has('var/runtime/node_modules/undici/package.json'), false);
});

const fakeSession = `
import json, os, sys
from sluice_client.endpoints import honour_environment
class Session:
    def get_component(self, name):
        return self
    def load_service_model(self, service, kind):
        return {"metadata": {"serviceId": "Secrets Manager"}}
    def create_client(self, service, region_name=None, api_version=None, use_ssl=True, verify=None,
                      endpoint_url=None):
        return endpoint_url
honour_environment(Session)
create = Session().create_client
answers = []
for environment in [{}, {"AWS_ENDPOINT_URL": "all"},
                    {"AWS_ENDPOINT_URL": "all", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "own"},
                    {"AWS_ENDPOINT_URL": "all", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}]:
    os.environ.clear()
    os.environ.update(environment)
    answers.append(create("secretsmanager", region_name="r"))
os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = ""
answers += [create("s", endpoint_url="said"), create("s", None, None, True, None, "placed")]
print(json.dumps(answers))
`;

test('an old botocore reads endpoints as the later ones do', async (t) => {
  if (!hostHas(t, `tool:${python}`)) return;
  const cwd = join(import.meta.dirname, '../runtime/clients/python');
  const { stdout, stderr } = await run(python, ['-c', fakeSession], { cwd });
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), [null, 'all', 'own', null, 'said', 'placed']);
});
