import { open, rm } from 'node:fs/promises';
import { CHUNK_SIZE_BYTES, SluiceError, systemErrorCode, toSluiceError } from '../base/mod.ts';
import type { OciImage } from '../oci/mod.ts';
import { type FlattenOptions, type FlattenSummary, flattenImage } from './flatten.ts';

/**
 * Flattens an image into a plain, sparse file that is made new: one that is there is an error
 * (`USAGE`), and one that could not be finished is removed.
 */
export async function flattenToFile(
  image: OciImage,
  path: string,
  options: Omit<FlattenOptions, 'sink'>,
): Promise<FlattenSummary> {
  const file = await open(path, 'wx').catch((error: unknown) => {
    if (systemErrorCode(error) === 'EEXIST') {
      throw new SluiceError('USAGE', `${path}: it exists; remove it or name another file`);
    }
    throw toSluiceError(error);
  });
  try {
    const sink = {
      writeChunk: async (index: number, data: Buffer) => {
        await file.write(data, 0, data.length, index * CHUNK_SIZE_BYTES);
      },
    };
    const summary = await flattenImage(image, { ...options, sink });
    await file.truncate(summary.diskBytes);
    await file.close();
    return summary;
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw toSluiceError(error);
  }
}
