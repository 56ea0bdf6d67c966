/**
 * `npm run demo`: builds an image of over 100 MB out of what this machine has, runs a region,
 * creates a function from the image over the Lambda API, invokes it cold and warm, says what
 * happened, and leaves nothing behind.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  InvokeCommand,
  type LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { formatBytes, formatMs, formatShare, SluiceError } from '../../src/base/mod.ts';
import { examineHost } from '../../src/serve/mod.ts';
import { readMetric, startRegion } from '../../test/support/region.ts';
import { runOrThrow } from '../../test/support/run.ts';
import { scratchDirectory } from '../../test/support/temporary.ts';
import { buildNodeImage } from './build-image.ts';

const WARM_INVOKES = 20;
const say = (text: string) => process.stdout.write(`${text}\n`);
const fact = (name: string, value: string) => say(`  ${name.padEnd(26)} ${value}`);

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startMs = performance.now();
  const value = await work();
  return [value, performance.now() - startMs];
}

async function invoke(client: LambdaClient): Promise<Record<string, unknown>> {
  const answer = await client.send(
    new InvokeCommand({ FunctionName: 'hello', Payload: '{"name":"Sluice"}' }),
  );
  const text = Buffer.from(answer.Payload ?? []).toString('utf8');
  if (answer.FunctionError) throw new SluiceError('INTERNAL', `hello: ${text}`);
  return JSON.parse(text);
}

async function create(client: LambdaClient, imageUri: string): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName: 'hello',
      PackageType: 'Image',
      Code: { ImageUri: imageUri },
      Role: 'arn:aws:iam::000000000000:role/demo',
      MemorySize: 1769,
    }),
  );
  const waiter = { client, maxWaitTime: 120, minDelay: 1, maxDelay: 1 };
  await waitUntilFunctionActiveV2(waiter, { FunctionName: 'hello' });
}

async function demonstrate(directory: string): Promise<void> {
  say('Building an image from this machine’s Node binary and a handler…');
  const image = await buildNodeImage(join(directory, 'image'), {
    files: { 'var/task/handler.mjs': readFileSync(join(import.meta.dirname, 'image/handler.mjs')) },
    handler: 'handler.hello',
  });
  say('Starting a region…');
  const region = await startRegion(undefined, join(directory, 'data'));
  try {
    const client = region.client();
    say('Creating the function from the image over the Lambda API…');
    const [, createMs] = await timed(() => create(client, image));
    const sluice = join(import.meta.dirname, '../../bin/sluice');
    const list = await runOrThrow(sluice, [
      'image',
      'list',
      '--json',
      '--data',
      region.dataDirectory,
    ]);
    const [stored] = JSON.parse(list) as {
      diskBytes: number;
      storedBytes: number;
      chunks: number;
      zeroChunks: number;
    }[];
    if (!stored) throw new SluiceError('INTERNAL', 'the image is not in the origin');

    const [first, coldMs] = await timed(() => invoke(client));
    const loaded = await readMetric(region, 'sluice_device_fetched_bytes_total');
    const warmMs: number[] = [];
    let last = first;
    for (let index = 0; index < WARM_INVOKES; index++) {
      const [answer, tookMs] = await timed(() => invoke(client));
      last = answer;
      warmMs.push(tookMs);
    }
    const bestHalf = warmMs.sort((a, b) => a - b)[Math.floor(WARM_INVOKES / 2)] ?? Number.NaN;

    say('\nThe image');
    fact('data on its disk', formatBytes(stored.storedBytes));
    fact(
      'chunks of 512 KiB',
      `${stored.chunks - stored.zeroChunks} stored, ${stored.zeroChunks} zero`,
    );
    fact('create, until active', formatMs(createMs));
    say('\nThe first invoke, cold');
    fact('answer', JSON.stringify(first['greeting']));
    fact(
      'loaded',
      `${formatBytes(loaded)}, ${formatShare(loaded / stored.storedBytes)} of the image`,
    );
    fact('took', formatMs(coldMs));
    say(`\nThe next ${WARM_INVOKES}, warm`);
    fact('invokes of this sandbox', String(last['invokesOfThisSandbox']));
    fact('took (median)', formatMs(bestHalf));
  } finally {
    await region.stop();
  }
  say('\nThe region is stopped; nothing is left mounted or running.');
}

const missing = (await examineHost()).filter((each) => each.required && !each.present);
if (missing.length > 0) {
  for (const { name, remedy } of missing)
    process.stderr.write(`this host lacks ${name}: ${remedy}\n`);
  process.exitCode = 1;
} else {
  const scratch = scratchDirectory('demo');
  try {
    await demonstrate(scratch.path);
  } finally {
    scratch.remove();
  }
}
