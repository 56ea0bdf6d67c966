import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { S3Server } from '../../test/support/s3-server.ts';
import { isSluiceError } from '../base/mod.ts';
import { S3CodeObjects } from './s3-objects.ts';

const credential = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };

test('code is read from a bucket that is named, and from no other', async (t) => {
  const s3 = new S3Server([credential]);
  const endpoint = await s3.listen();
  t.after(() => s3.close());
  process.env['AWS_ACCESS_KEY_ID'] = credential.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = credential.secretAccessKey;
  const region = 'us-east-1';
  const client = new S3Client({ region, endpoint, forcePathStyle: true });
  t.after(() => client.destroy());
  const Body = Buffer.from('an archive');
  await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key: 'f.zip', Body }));
  const objects = new S3CodeObjects({ region, endpoint, buckets: [s3.bucket] });
  assert.deepEqual(await objects.read(s3.bucket, 'f.zip', undefined), Body);
  const refused = (bucket: string, key: string, code: string) =>
    assert.rejects(
      objects.read(bucket, key, undefined),
      (error) => isSluiceError(error, 'CODE_NOT_FOUND') && error.data['code'] === code,
    );
  await refused(s3.bucket, 'missing', 'NoSuchKey');
  await refused('elsewhere', 'f.zip', 'NoSuchBucket');
});
