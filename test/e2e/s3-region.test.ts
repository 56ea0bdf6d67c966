import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { readManifestHeader } from '../../src/seal/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { KmsServer } from '../support/kms-server.ts';
import { buildTestImage } from '../support/node-image.ts';
import { writeLayout } from '../support/oci-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { S3Server } from '../support/s3-server.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');
const sluice = join(repositoryRoot, 'bin/sluice');
const credential = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const environment = {
  AWS_ACCESS_KEY_ID: credential.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
};
const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';

const errorLines = (region: RunningRegion) =>
  region
    .log()
    .split('\n')
    .filter((line) => line.includes('"level":50'));

describe('a region whose chunks rest in S3 and whose keys are in KMS', { skip: lacks }, () => {
  const scratch = scratchDirectory('s3-region');
  const data = join(scratch.path, 'data');
  const s3 = new S3Server([credential]);
  const kms = new KmsServer();
  let region: RunningRegion;
  const run = (...words: string[]) =>
    runOrThrow(sluice, [...words, '--data', data], { env: { ...process.env, ...environment } });
  const json = async (...words: string[]) => JSON.parse(await run(...words, '--json'));
  const invoke = async () => {
    const answer = await region
      .client()
      .send(new InvokeCommand({ FunctionName: 'f', Payload: '{"mode":"echo"}' }));
    return [answer.StatusCode, answer.FunctionError];
  };
  const packKeys = () => [...s3.objects.keys()].filter((key) => key.includes('/packs/'));
  /** Nothing is warm afterwards: no sandbox, no unsealed manifest, no cached chunk. */
  const startCold = async () => {
    await region?.stop();
    rmSync(join(data, 'cache'), { recursive: true, force: true });
    region = await startRegion(undefined, data, [], environment);
  };

  before(async () => {
    kms.keys.set(keyId, true);
    const origin = { kind: 's3', bucket: s3.bucket, prefix: 'sluice/', region: 'us-east-1' };
    const keys = { kind: 'kms', region: 'us-east-1', keys: { default: keyId } };
    const s3Endpoint = await s3.listen();
    const kmsEndpoint = await kms.listen();
    await json('config', 'set', 'origin', JSON.stringify({ ...origin, endpoint: s3Endpoint }));
    await json('config', 'set', 'keys', JSON.stringify({ ...keys, endpoint: kmsEndpoint }));
    region = await startRegion(undefined, data, [], environment);
    const image = await buildTestImage(join(scratch.path, 'image'));
    await createImageFunction(region.client(), 'f', image);
  });
  after(async () => {
    await region?.stop();
    await s3.close();
    await kms.close();
    scratch.remove();
  });

  test('creates and invokes, and leaves no chunk on the host', async () => {
    assert.deepEqual(await invoke(), [200, undefined]);
    assert.ok([...s3.objects.keys()].every((key) => key.startsWith('sluice/')));
    const [image] = await json('image', 'list');
    assert.equal(image.keyId, keyId);
    await until('the start pack is kept', async () => packKeys().length === 1);
    const [root] = (await json('gc', 'status')).roots;
    assert.equal(root.chunks, [...s3.objects.values()].filter((o) => o.length === 524_288).length);
    assert.deepEqual(readdirSync(join(data, 'origin')), []);
  });

  test('starts cold from S3 after a restart, reading only what it needs', async () => {
    await startCold();
    const before = s3.requests.length;
    assert.deepEqual(await invoke(), [200, undefined]);
    const gets = s3.requests.slice(before).filter(({ action }) => action === 'get').length;
    const chunks = [...s3.objects.values()].filter((o) => o.length === 524_288).length;
    assert.ok(gets > 0 && gets < chunks, `${gets} gets of ${chunks} chunks`);
  });

  test('starts cold from the start pack, with next to none of the disk’s own chunks', async () => {
    await startCold();
    const before = s3.requests.length;
    assert.deepEqual(await invoke(), [200, undefined]);
    const [packKey = ''] = packKeys();
    const pack = new Set(readManifestHeader(s3.objects.get(packKey) ?? assert.fail()).names());
    const got = s3.requests
      .slice(before)
      .filter(({ action, key }) => action === 'get' && key.includes('/chunks/'))
      .map(({ key }) => key.slice(key.lastIndexOf('/') + 1));
    const others = got.filter((name) => !pack.has(name));
    assert.equal(got.length - others.length, pack.size);
    assert.ok(others.length < pack.size / 2, `${others.length} besides ${pack.size} of the pack`);
  });

  test('survives passing errors of S3, and reports one that stays', async () => {
    await startCold();
    let refused = 0;
    s3.fault = () => (refused++ % 5 === 0 ? { status: 503 } : undefined);
    assert.deepEqual(await invoke(), [200, undefined]);
    await startCold();
    s3.fault = ({ action }) => (action === 'get' ? { status: 500 } : undefined);
    await assert.rejects(invoke(), ({ $metadata }) => $metadata.httpStatusCode >= 500);
    s3.fault = () => undefined;
    assert.deepEqual(await invoke(), [200, undefined]);
  });

  test('fails a start by an error of its own when S3 takes requests and answers none, and goes on at once', async () => {
    await startCold();
    s3.fault = () => ({ silent: true });
    await assert.rejects(invoke(), (error: Error & { $metadata: { httpStatusCode: number } }) => {
      assert.equal(error.$metadata.httpStatusCode, 500);
      assert.match(error.message, /^The store of functions’ code does not answer/);
      return true;
    });
    s3.fault = () => undefined;
    assert.deepEqual(await invoke(), [200, undefined]);
  });

  test('creates while S3 refuses for a second', async (t) => {
    let untilMs = 0;
    let refused = 0;
    s3.fault = ({ action }) => {
      untilMs ||= action === 'put' ? performance.now() + 1000 : 0;
      if (performance.now() >= untilMs) return undefined;
      refused++;
      return { status: 503 };
    };
    await createImageFunction(region.client(), 'small', `oci:${await writeLayout(t)}:latest`);
    assert.ok(refused > 0);
    s3.fault = () => undefined;
  });

  test('answers a damaged chunk with an error of ours, names it, raises the alarm, and serves it again', async () => {
    await startCold();
    for (const wholeChunks of [0, 12]) {
      const damaged = new Set<string>();
      let left = wholeChunks;
      s3.fault = ({ action, key }) => {
        if (action !== 'get' || !key.includes('/chunks/') || left-- > 0) return undefined;
        damaged.add(basename(key));
        return { corrupt: true };
      };
      await assert.rejects(invoke(), ({ $metadata }) => $metadata.httpStatusCode >= 500);
      await until(
        () => `a line that names one of ${[...damaged]} in ${region.log()}`,
        () => errorLines(region).some((line) => [...damaged].some((name) => line.includes(name))),
      );
    }
    await until(
      () => 'the alarm',
      async () => (await readMetric(region, 'sluice_origin_corrupt_total')) >= 2,
    );
    s3.fault = () => undefined;
    assert.deepEqual(await invoke(), [200, undefined]);
  });

  test('names the key that KMS has disabled, and goes on when it is enabled', async () => {
    await startCold();
    kms.keys.set(keyId, false);
    await assert.rejects(invoke(), { name: 'KMSDisabledException' });
    kms.keys.set(keyId, true);
    assert.deepEqual(await invoke(), [200, undefined]);
  });
});
