import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { until } from '../../test/support/until.ts';
import { ApiError } from './api-error.ts';
import { DownloadLinks } from './download-links.ts';
import { REGION, ROLE, startFrontend, stranger } from './testing/harness.fixture.ts';
import { refusal } from './testing/lambda.fixture.ts';
import { makeZip } from './testing/zip.fixture.ts';
import { requireZip } from './zip-archive.ts';

const FunctionName = 'z';
const ZipFile = makeZip({ 'index.mjs': 'export const handler = async () => 1;' });
const base: sdk.CreateFunctionCommandInput = {
  ...{ FunctionName, Role: ROLE, Runtime: 'nodejs24.x', Handler: 'index.handler' },
  Code: { ZipFile },
};
const layerArn = `arn:aws:lambda:${REGION}:000000000000:layer:l`;

async function setUp(t: TestContext) {
  const harness = await startFrontend(t);
  const lambda = harness.client();
  const create = (input: Partial<sdk.CreateFunctionCommandInput> = {}) =>
    lambda.send(new sdk.CreateFunctionCommand({ ...base, ...input }));
  const settled = async () => {
    const waiter = { client: lambda, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 };
    await sdk.waitUntilFunctionActiveV2(waiter, { FunctionName });
    await sdk.waitUntilFunctionUpdatedV2(waiter, { FunctionName });
  };
  const publish = (content = ZipFile, LayerName = 'l') =>
    lambda.send(new sdk.PublishLayerVersionCommand({ LayerName, Content: { ZipFile: content } }));
  return { ...harness, lambda, create, settled, publish };
}

test('a zip function is created, installed from its archive, and downloaded again', async (t) => {
  const { lambda, create, settled, zipInstaller } = await setUp(t);
  const created = await create();
  assert.equal(created.PackageType, 'Zip');
  assert.equal(created.CodeSize, ZipFile.length);
  const sha256 = createHash('sha256').update(ZipFile).digest('base64');
  assert.equal(created.CodeSha256, sha256);
  await settled();
  assert.deepEqual(zipInstaller.requests[0]?.archive, ZipFile);
  assert.equal(zipInstaller.requests[0]?.runtime, 'nodejs24.x');
  const got = await lambda.send(new sdk.GetFunctionCommand({ FunctionName }));
  assert.equal(got.Code?.RepositoryType, 'S3');
  const location = got.Code?.Location ?? '';
  const answer = await fetch(location);
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), ZipFile);
  assert.equal((await fetch(`${location.slice(0, -3)}AAA`)).status, 403);
  const second = makeZip({ 'index.mjs': 'export const handler = async () => 2;' });
  await lambda.send(new sdk.UpdateFunctionCodeCommand({ FunctionName, ZipFile: second }));
  await settled();
  assert.deepEqual(zipInstaller.requests[1]?.archive, second);
});

test('what is no archive, too large, or for no known runtime is refused', async (t) => {
  const { create, lambda } = await setUp(t);
  const refused = async (input: Partial<sdk.CreateFunctionCommandInput>) => {
    const { name, message } = await refusal(create(input));
    return `${name}: ${message}`;
  };
  const invalid = (message: string) => `InvalidParameterValueException: ${message}`;
  const unzip = 'Could not unzip uploaded file. Please check your file, then try to upload again.';
  assert.equal(await refused({ Code: { ZipFile: Buffer.from('no zip') } }), invalid(unzip));
  assert.match(await refused({ Runtime: 'non-existent' as 'nodejs24.x' }), /Value non-existent at/);
  assert.match(
    await refused({ Runtime: 'python3.7' }),
    /The runtime parameter of python3\.7 is no/,
  );
  assert.match(await refused({ Handler: undefined }), /Runtime and Handler are mandatory/);
  const image = { Code: { ImageUri: 'a:b' } };
  assert.match(await refused(image), /Please don't provide ImageUri when creating a function/);
  const bucket = { Code: { S3Bucket: 'bbb', S3Key: 'k' } };
  assert.match(await refused(bucket), /S3 Error Code: NoSuchBucket/);
  const large = { Code: { ZipFile: Buffer.alloc(52_428_801) } };
  assert.equal(
    await refused(large),
    'RequestEntityTooLargeException: Zipped size must be smaller than 52428800 bytes',
  );
  const larger = { Code: { ZipFile: Buffer.alloc(52_700_000) } };
  assert.match(
    await refused(larger),
    /Request must be smaller than 70167211 bytes for the CreateFunction operation/,
  );
  await create();
  const update = new sdk.UpdateFunctionCodeCommand({ FunctionName, ImageUri: 'a:b' });
  assert.match(
    (await refusal(lambda.send(update))).message,
    /updating a function with packageType/,
  );
});

test('layers are published, found, listed and deleted', async (t) => {
  const { lambda, publish } = await setUp(t);
  const first = await publish();
  assert.equal(first.LayerVersionArn, `${layerArn}:1`);
  assert.equal(first.Version, 1);
  const location = await fetch(first.Content?.Location ?? '');
  assert.deepEqual(Buffer.from(await location.arrayBuffer()), ZipFile);
  await publish();
  const got = await lambda.send(new sdk.GetLayerVersionByArnCommand({ Arn: `${layerArn}:2` }));
  assert.equal(got.Version, 2);
  const versions = await lambda.send(new sdk.ListLayerVersionsCommand({ LayerName: 'l' }));
  assert.deepEqual(
    versions.LayerVersions?.map((each) => each.Version),
    [2, 1],
  );
  await publish(ZipFile, 'm');
  const layers = await lambda.send(new sdk.ListLayersCommand({ MaxItems: 1 }));
  assert.deepEqual(
    layers.Layers?.map((each) => each.LayerName),
    ['l'],
  );
  assert.ok(layers.NextMarker);
  const VersionNumber = 2;
  await lambda.send(new sdk.DeleteLayerVersionCommand({ LayerName: 'l', VersionNumber }));
  const query = new sdk.GetLayerVersionCommand({ LayerName: layerArn, VersionNumber });
  assert.equal((await refusal(lambda.send(query))).status, 404);
  const odd = ['cobol', 'nodejs24.x'] as sdk.Runtime[];
  const wrong = { LayerName: 'l', Content: { ZipFile }, CompatibleRuntimes: odd };
  assert.match(
    (await refusal(lambda.send(new sdk.PublishLayerVersionCommand(wrong)))).message,
    /^1 validation error detected: Value '\[cobol, nodejs24\.x\]' at 'compatibleRuntimes' failed/,
  );
  const zero = new sdk.GetLayerVersionCommand({ LayerName: 'l', VersionNumber: 0 });
  assert.equal((await refusal(lambda.send(zero))).message, 'Layer Version Cannot be less than 1');
});

test('a function takes its layers in order, and again when they change', async (t) => {
  const { lambda, create, settled, publish, zipInstaller, client } = await setUp(t);
  const contents = ['a', 'b'].map((name) => makeZip({ [name]: name }));
  for (const [index, each] of contents.entries()) await publish(each, `l${index}`);
  const arns = [0, 1].map((index) => `${layerArn}${index}:1`);
  await create({ Layers: arns });
  await settled();
  assert.deepEqual(zipInstaller.requests[0]?.layers, contents);
  const change = new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Layers: [arns[1]!] });
  await lambda.send(change);
  await settled();
  assert.deepEqual(zipInstaller.requests[1]?.layers, [contents[1]]);
  const got = await lambda.send(new sdk.GetFunctionConfigurationCommand({ FunctionName }));
  assert.deepEqual(got.Layers, [{ Arn: arns[1], CodeSize: contents[1]!.length }]);
  const refused = async (Layers: string[]) =>
    (
      await refusal(
        lambda.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Layers })),
      )
    ).message;
  assert.equal(await refused(Array(6).fill(arns[0])), 'Cannot reference more than 5 layers.');
  assert.match(await refused([`${layerArn}0:9`]), /^Layer version .*:9 does not exist\.$/);
  assert.match(await refused([arns[0]!, arns[0]!]), /^Two different versions of the same layer/);
  const elsewhere = arns[0]!.replace(REGION, 'eu-west-1');
  assert.match(await refused([elsewhere]), /^Layers are not in the same region as the function/);
  const foreign = new sdk.GetLayerVersionCommand({ LayerName: `${layerArn}0`, VersionNumber: 1 });
  assert.equal((await refusal(client(stranger).send(foreign))).name, 'AccessDeniedException');
});

test('a layer may be shared, and outlives its deletion in the functions that took it', async (t) => {
  const { lambda, create, settled, publish, zipInstaller, client } = await setUp(t);
  const other = client(stranger);
  await publish();
  const layer = { LayerName: 'l', VersionNumber: 1 };
  const theirs = { LayerName: layerArn, VersionNumber: 1 };
  const theirFunction: sdk.CreateFunctionCommandInput = {
    ...{ ...base, FunctionName: 'theirs', Layers: [`${layerArn}:1`] },
    Role: ROLE.replace('000000000000', '999999999999'),
  };
  const take = () => other.send(new sdk.CreateFunctionCommand(theirFunction));
  assert.equal((await refusal(take())).message, `Layer version ${layerArn}:1 does not exist.`);
  const permission = {
    ...{ ...layer, StatementId: 's', Action: 'lambda:GetLayerVersion' },
    Principal: '999999999999',
  };
  const add = () => lambda.send(new sdk.AddLayerVersionPermissionCommand(permission));
  const added = await add();
  assert.equal(JSON.parse(added.Statement ?? '').Resource, `${layerArn}:1`);
  assert.match((await refusal(add())).message, /^The statement id \(s\) provided already exists/);
  const policy = await lambda.send(new sdk.GetLayerVersionPolicyCommand(layer));
  assert.equal(policy.RevisionId, added.RevisionId);
  assert.equal(JSON.parse(policy.Policy ?? '').Statement[0].Sid, 's');
  assert.equal((await other.send(new sdk.GetLayerVersionCommand(theirs))).Version, 1);
  const remove = new sdk.DeleteLayerVersionCommand(theirs);
  assert.equal((await refusal(other.send(remove))).name, 'AccessDeniedException');
  await take();
  const stale = { ...layer, StatementId: 's', RevisionId: 'old' };
  const removeStale = new sdk.RemoveLayerVersionPermissionCommand(stale);
  assert.match((await refusal(lambda.send(removeStale))).message, /Call the GetLayerPolicy API/);
  await lambda.send(new sdk.RemoveLayerVersionPermissionCommand({ ...layer, StatementId: 's' }));
  const again = new sdk.GetLayerVersionCommand(theirs);
  assert.equal((await refusal(other.send(again))).name, 'AccessDeniedException');
  await lambda.send(new sdk.DeleteLayerVersionCommand(layer));
  const code = makeZip({ x: 'new' });
  const waiter = { client: other, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 };
  await sdk.waitUntilFunctionActiveV2(waiter, { FunctionName: 'theirs' });
  const update = { FunctionName: 'theirs', ZipFile: code };
  await other.send(new sdk.UpdateFunctionCodeCommand(update));
  await sdk.waitUntilFunctionUpdatedV2(waiter, { FunctionName: 'theirs' });
  assert.deepEqual(zipInstaller.requests.at(-1)?.layers, [ZipFile]);
  await create();
  await settled();
});

test('archives go with the last that names them, and not before', async (t) => {
  const { lambda, create, settled, publish, archive, frontend } = await setUp(t);
  const account = '000000000000';
  const kept = async () => (await archive.list(account)).length;
  const untilKept = (count: number) =>
    until(`${count} archives`, async () => (await kept()) === count);
  const content = makeZip({ layer: 'content' });
  await publish(content);
  await create({ Layers: [`${layerArn}:1`], Publish: true });
  await settled();
  const second = makeZip({ 'index.mjs': 'export const handler = async () => 2;' });
  await lambda.send(new sdk.UpdateFunctionCodeCommand({ FunctionName, ZipFile: second }));
  await settled();
  const again = refusal(create({ Code: { ZipFile: makeZip({ other: 'code' }) } }));
  assert.equal((await again).name, 'ResourceConflictException');
  const third = makeZip({ 'index.mjs': 'export const handler = async () => 3;' });
  await lambda.send(new sdk.UpdateFunctionCodeCommand({ FunctionName, ZipFile: third }));
  await settled();
  await untilKept(3); // The published version's, the latest, and the layer's.
  await lambda.send(new sdk.DeleteLayerVersionCommand({ LayerName: 'l', VersionNumber: 1 }));
  await lambda.send(new sdk.DeleteFunctionCommand({ FunctionName, Qualifier: '1' }));
  await untilKept(2); // The latest still runs with the layer.
  await lambda.send(new sdk.DeleteFunctionCommand({ FunctionName }));
  await untilKept(0);
  await frontend.close(100);
});

test('code may lie in a bucket that is configured, and in no other', async (t) => {
  const { lambda, create, settled, zipInstaller, objects } = await setUp(t);
  objects.objects.set('f.zip', ZipFile);
  await create({ Code: { S3Bucket: 'code', S3Key: 'f.zip' } });
  await settled();
  assert.deepEqual(zipInstaller.requests[0]?.archive, ZipFile);
  const update = { FunctionName, S3Bucket: 'code', S3Key: 'missing' };
  assert.equal(
    (await refusal(lambda.send(new sdk.UpdateFunctionCodeCommand(update)))).message,
    'Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified ' +
      'key does not exist.',
  );
});

test('code and layers together may not unpack to more than one function may have', async (t) => {
  const { create, publish } = await setUp(t);
  const claims = (bytes: number) => {
    const zip = makeZip({ a: 'x' });
    zip.writeUInt32LE(bytes, zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
    return zip;
  };
  await publish(claims(200_000_000));
  const refused = await refusal(
    create({ Layers: [`${layerArn}:1`], Code: { ZipFile: claims(100_000_000) } }),
  );
  assert.equal(
    refused.message,
    'Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The ' +
      'actual size is 300000000 bytes.',
  );
});

test('damaged archives are refused in words, whatever the damage', () => {
  const zip = makeZip({ a: 'one', 'dir/b': 'two' });
  requireZip(zip);
  fc.assert(
    fc.property(fc.nat(zip.length - 1), fc.nat(255), fc.nat(zip.length), (at, value, length) => {
      const damaged = Buffer.from(zip);
      damaged[at] = value;
      try {
        requireZip(damaged.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
        assert.equal(error.status, 400);
      }
    }),
    { numRuns: propertyRuns(1000) },
  );
  const claims = Buffer.from(zip);
  claims.writeUInt32LE(262_144_001, zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
  assert.throws(() => requireZip(claims), /Unzipped size must be smaller than 262144000 bytes/);
});

test('a download address is good for ten minutes and for nothing else', () => {
  const links = new DownloadLinks(Buffer.alloc(32, 1));
  const target = { accountId: '000000000000', sha256: 'a'.repeat(64) };
  const path = links.create('', target, 1000);
  assert.deepEqual(links.read(path, 1000 + 600_000), target);
  assert.equal(links.read(path, 1001 + 600_000), undefined);
  assert.equal(new DownloadLinks(Buffer.alloc(32, 2)).read(path, 1000), undefined);
  assert.equal(
    links.read(
      path.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')),
      1000,
    ),
    undefined,
  );
  assert.equal(links.read('/archives/x', 1000), undefined);
});
