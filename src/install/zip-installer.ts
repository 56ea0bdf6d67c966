import { createHash } from 'node:crypto';
import type { InstalledCode } from '../records/mod.ts';
import type { ImageInstaller } from './image-installer.ts';
import type { ZipInstaller, ZipInstallRequest } from './installing.ts';
import type { RuntimeBases } from './runtime-bases.ts';

/** Makes zip code into a disk: an image of its runtime's base, our client, layers and code. */
export class RuntimeZipInstaller implements ZipInstaller {
  readonly #images: ImageInstaller;
  readonly #bases: RuntimeBases;

  constructor(images: ImageInstaller, bases: RuntimeBases) {
    this.#images = images;
    this.#bases = bases;
  }

  async installZip(request: ZipInstallRequest, signal: AbortSignal): Promise<InstalledCode> {
    const { accountId, architecture, runtime, archive, layers } = request;
    const { imageUri, isHosts } = await this.#bases.baseOf(runtime);
    const image = await this.#images.flattenZip(
      { imageUri, accountId, architecture, zip: { runtime, isHostBase: isHosts, archive, layers } },
      signal,
    );
    return {
      manifestId: image.manifestId,
      resolvedImageUri: image.resolvedReference,
      imageDigest: image.imageDigest,
      codeSizeBytes: archive.length,
      codeSha256: createHash('sha256').update(archive).digest('base64'),
      imageConfig: image.process,
    };
  }
}
