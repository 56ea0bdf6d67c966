import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FlattenSummary, flattenToFile, type OnProgress } from '../image/mod.ts';
import { openImage } from '../oci/mod.ts';
import { operatorsAccess } from './registry-access.ts';

/**
 * What `sluice image flatten` does: the disk of an image as a plain file. It reads the image as
 * `image add` does, with the same credentials.
 */
export async function flattenReference(
  reference: string,
  path: string,
  onProgress: OnProgress,
  registryCa: Readonly<Record<string, string>> = {},
): Promise<FlattenSummary> {
  const image = await openImage(reference, await operatorsAccess(reference, registryCa));
  const spoolDirectory = await mkdtemp(join(tmpdir(), 'sluice-spool-'));
  try {
    return await flattenToFile(image, path, {
      spoolDirectory,
      onBytes: (phase, bytesDone, bytesTotal) =>
        onProgress({ phase, bytesDone, bytesTotal, chunks: 0, newChunks: 0 }),
    });
  } finally {
    await rm(spoolDirectory, { recursive: true, force: true });
    await image.close();
  }
}
