import { createHash } from 'node:crypto';
import { isSluiceError } from '../base/mod.ts';
import type { InstalledCode } from '../records/mod.ts';
import type { ImageInstaller } from './image-installer.ts';
import type { ZipInstaller, ZipInstallRequest } from './installing.ts';
import type { RuntimeBase, RuntimeBases } from './runtime-bases.ts';

/** Makes zip code into a disk: an image of its runtime's base, our client, layers and code. */
export class RuntimeZipInstaller implements ZipInstaller {
  readonly #images: ImageInstaller;
  readonly #bases: RuntimeBases;

  constructor(images: ImageInstaller, bases: RuntimeBases) {
    this.#images = images;
    this.#bases = bases;
  }

  async installZip(request: ZipInstallRequest, signal: AbortSignal): Promise<InstalledCode> {
    const base = await this.#bases.baseOf(request.runtime);
    try {
      return await this.#installOn(base, request, signal);
    } catch (error) {
      if (!base.isHosts || !isOfBase(error) || signal.aborted) throw error;
      // The kept base may be lost, so it is no reason to fail: it is gathered once more.
      await this.#bases.giveUp(base);
      return this.#installOn(await this.#bases.baseOf(request.runtime), request, signal);
    }
  }

  async #installOn(
    { imageUri, isHosts, warning }: RuntimeBase,
    request: ZipInstallRequest,
    signal: AbortSignal,
  ): Promise<InstalledCode> {
    const { accountId, architecture, runtime, archive, layers } = request;
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
      ...(image.warnings.length > 0 && { warnings: image.warnings }),
      ...(warning !== undefined && { runtimeWarning: warning }),
    };
  }
}

/** What is wrong with the function's own archives has codes of its own. */
function isOfBase(error: unknown): boolean {
  return isSluiceError(error) && (error.code === 'HOST_LACKS' || error.code.startsWith('IMAGE_'));
}
