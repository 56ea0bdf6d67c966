import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { hostHas } from '../support/host.ts';
import { startRegion } from '../support/region.ts';
import { run, runOrThrow } from '../support/run.ts';
import { S3Server } from '../support/s3-server.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const sluice = join(repositoryRoot, 'bin/sluice');
const credential = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const environment = {
  AWS_ACCESS_KEY_ID: credential.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
};
const env = { ...process.env, ...environment };

test('of two regions on copies of one data directory and one S3 prefix, one serves', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const scratch = temporaryDirectory(t, 'two-regions');
  const [data, copy] = [join(scratch, 'data'), join(scratch, 'copy')];
  const s3 = new S3Server([credential]);
  const endpoint = await s3.listen();
  t.after(() => s3.close());
  const place = { kind: 's3', bucket: s3.bucket, prefix: 'sluice/', region: 'us-east-1', endpoint };
  const origin = JSON.stringify(place);
  await runOrThrow(sluice, ['config', 'set', 'origin', origin, '--data', data], { env });
  const region = await startRegion(t, data, [], environment);
  cpSync(data, copy, { recursive: true });
  const words = ['up', '--data', copy, '--listen', '127.0.0.1:0'];
  const second = await run(sluice, words, { env });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /another region is running on it/);
  assert.equal((await fetch(`${region.endpoint}/healthz`)).status, 200);

  const holder = 'sluice/owner/holder';
  const own = s3.objects.get(holder);
  assert.ok(own);
  const other = `${'0'.repeat(8)}${own.toString().slice(8)}`;
  s3.objects.set(holder, Buffer.from(other));
  await until('who lost its origin ends', () => region.process.exitCode !== null);
  assert.equal(region.process.exitCode, 1);
  assert.match(region.log(), /another region is running on it/);
  assert.equal(s3.objects.get(holder)?.toString(), other, 'the other’s note stays');
});
