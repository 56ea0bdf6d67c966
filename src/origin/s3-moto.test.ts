import { after, type TestContext } from 'node:test';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { hostHasMoto, type Moto, startMoto } from '../../test/support/moto.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { s3Origin } from './mod.ts';
import { objectStoreConformance } from './object-store.conformance.ts';
import { originConformance } from './origin.conformance.ts';
import { connectS3, S3Objects } from './s3-objects.ts';

let moto: Promise<Moto> | undefined;
let buckets = 0;
after(async () => (await moto)?.stop());

/** A bucket of the test's own in the one moto of this file. */
async function makeBucket(t: TestContext) {
  if (!moto && !hostHasMoto(t)) return undefined;
  moto ??= startMoto();
  const { endpoint } = await moto;
  const credentials = { accessKeyId: 'AKIAMOTO', secretAccessKey: 'any' };
  const bucket = `bucket-${++buckets}`;
  const location = { bucket, region: 'us-east-1', endpoint, credentials };
  const client = connectS3(location);
  t.after(() => client.destroy());
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return { location, client };
}

objectStoreConformance('S3 objects against moto', async (t) => {
  const made = await makeBucket(t);
  if (!made) return undefined;
  const objects = new S3Objects(made.location, systemClock);
  t.after(() => objects.close());
  return objects;
});
originConformance('S3 origin against moto', async (t) => {
  const made = await makeBucket(t);
  return made && s3Origin(made.location, { clock: systemClock, random: systemRandom });
});
