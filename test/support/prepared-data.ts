import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DeleteFunctionCommand } from '@aws-sdk/client-lambda';
import { createImageFunction } from './image-function.ts';
import { buildTestImage } from './node-image.ts';
import { startRegion } from './region.ts';
import { runOrThrow } from './run.ts';
import { sharedByRun } from './shared.ts';

/** What nobody writes to in place: files appear whole and go whole. */
const LINKED = 'origin/roots';

/**
 * Makes a data directory in which `buildTestImage`'s image, which this answers, is installed, but no
 * function: to flatten it is most of what a region costs a test that is not about installs, so that
 * is done once a run. A copy has the original's ids and keys, and chunks that are hard links: a test
 * that damages chunks makes its own.
 */
export async function prepareData(dataDirectory: string): Promise<string> {
  const image = await buildTestImage(dataDirectory);
  const shared = await sharedByRun('prepared-data', async (directory) => {
    const region = await startRegion(undefined, join(directory, 'data'));
    try {
      await createImageFunction(region.client(), 'f', image);
      await region.client().send(new DeleteFunctionCommand({ FunctionName: 'f' }));
    } finally {
      await region.stop();
    }
    await mkdir(join(directory, 'chunks'));
    await runOrThrow('mv', [join(directory, 'data', LINKED), join(directory, 'chunks')]);
  });
  await mkdir(dataDirectory, { recursive: true });
  await runOrThrow('cp', ['-a', join(shared, 'data/.'), dataDirectory]);
  await runOrThrow('cp', ['-al', join(shared, 'chunks/.'), join(dataDirectory, 'origin')]);
  return image;
}
