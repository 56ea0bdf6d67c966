import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryLogins } from '../accounts/mod.ts';
import {
  type Clock,
  type ErrorCode,
  isSluiceError,
  limits,
  type Random,
  SharedSemaphore,
} from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import type { DataDirectory, ImageSettings, SaltSettings } from '../config/mod.ts';
import type { OnProgress } from '../image/mod.ts';
import type { HelperSpawner } from '../isolation/mod.ts';
import type { KeyCustody } from '../keys/mod.ts';
import { parseImageReference } from '../oci/mod.ts';
import type { ManifestPins, ManifestSource, OriginPlace, RootSource } from '../origin/mod.ts';
import type { OutboundSettings } from '../outbound/mod.ts';
import type { InstalledCode } from '../records/mod.ts';
import { runFlattener } from './flattener.ts';
import type { FlattenedImage } from './flattener-protocol.ts';
import { type ImageChooser, imageAccess } from './image-access.ts';
import { InstallWatch } from './install-watch.ts';
import { type InstalledImageKey, InstalledImages } from './installed-images.ts';
import type { CodeInstaller, InstallRequest } from './installing.ts';
import { readAuthorities } from './registry-access.ts';
import { currentSaltParts } from './salts.ts';
import type { ZipCode } from './zip-image.ts';

export interface AddImageRequest {
  readonly imageUri: string;
  readonly accountId: string;
  readonly architecture?: 'x86_64' | 'arm64';
  /** The zone's cache, to put new chunks into for the first starts. */
  readonly primeL2?: L2Settings;
}

/** Zip code to put on an image. */
export interface ZipToFlatten extends Pick<ZipCode, 'runtime' | 'isHostBase'> {
  readonly archive: Buffer;
  readonly layers: readonly Buffer[];
}

type FlattenRequest = AddImageRequest & {
  readonly chosenBy: ImageChooser;
  readonly zip?: ZipToFlatten;
  /** Whether a manifest that the account has of this image already will do. */
  readonly mayReuse?: boolean;
};

export interface ImageInstallerOptions {
  readonly jails: HelperSpawner;
  readonly data: DataDirectory;
  readonly place: OriginPlace;
  readonly origin: RootSource &
    Pick<ManifestPins, 'pinManifest'> &
    Pick<ManifestSource, 'getManifest'>;
  readonly keys: Pick<KeyCustody, 'generateDataKey' | 'chunkSalt'>;
  readonly salt: SaltSettings;
  readonly images: ImageSettings;
  readonly outbound: OutboundSettings;
  readonly logins: RegistryLogins;
  /** Files of PEM with those who sign registries' certificates, by host. */
  readonly registryCa: Readonly<Record<string, string>>;
  /** The largest file that a flattener may spool. */
  readonly spoolFileBytes?: number;
  readonly isDiskLow?: (() => boolean) | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** What may be over when the same is tried again at once. */
const onceMore: readonly ErrorCode[] = ['ROOT_READ_ONLY', 'FLATTENER_DIED'];

const hostArchitecture = process.arch === 'arm64' ? 'arm64' : 'x86_64';

/** Makes images into stored manifests; a bounded number of flatteners at once. */
export class ImageInstaller implements CodeInstaller {
  readonly #options: ImageInstallerOptions;
  readonly #flatteners = new SharedSemaphore({
    permits: limits.image.flattenersAtOnce,
    permitsPerKey: limits.shares.installsPerAccount,
    maxWaiting: limits.image.flattenersWaiting,
    maxWaitingPerKey: limits.image.flattenersWaiting / 2,
  });

  readonly #installed: InstalledImages;

  constructor(options: ImageInstallerOptions) {
    this.#options = options;
    const directory = join(options.data.cache, 'installed-images');
    this.#installed = new InstalledImages(directory, options.origin);
  }

  /**
   * Stores an image that is kept until somebody removes it. Rejects with what `oci`, `image` and
   * the origin say of it.
   */
  async add(request: AddImageRequest, onProgress: OnProgress = () => {}): Promise<FlattenedImage> {
    const image = await this.#flatteners.run(request.accountId, () =>
      this.#attempt({ ...request, chosenBy: 'operator' }, onProgress),
    );
    await this.#options.origin.pinManifest(image.manifestId);
    return image;
  }

  /** Makes no second manifest when the account has one of the same image in the active root. */
  async install(request: InstallRequest, signal: AbortSignal): Promise<InstalledCode> {
    const flatten = { ...request, mayReuse: true, chosenBy: 'account' } as const;
    const work = () => this.#attempt(flatten, () => {}, signal);
    const image = await this.#flatteners.run(request.accountId, work, signal);
    return {
      manifestId: image.manifestId,
      resolvedImageUri: image.resolvedReference,
      imageDigest: image.imageDigest,
      codeSizeBytes: image.imageBytes,
      codeSha256: image.imageDigest.replace(/^sha256:/, ''),
      imageConfig: image.process,
      ...(image.warnings.length > 0 && { warnings: image.warnings }),
    };
  }

  /** Puts an account's code on an image of the operator's. */
  flattenZip(
    request: AddImageRequest & { readonly zip: ZipToFlatten },
    signal: AbortSignal,
  ): Promise<FlattenedImage> {
    const flatten = { ...request, chosenBy: 'operator' } as const;
    const work = () => this.#attempt(flatten, () => {}, signal);
    return this.#flatteners.run(request.accountId, work, signal);
  }

  /**
   * A root that was retired meanwhile takes nothing more; the one after it does. A flattener that
   * was killed, for memory or by mistake, has another try too. Nobody waits for an install, so that
   * an origin that is out is waited for.
   */
  async #attempt(
    request: FlattenRequest,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<FlattenedImage> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + limits.origin.installPatienceMs;
    for (const tried = new Set<ErrorCode>(); ; ) {
      try {
        return await this.#flatten(request, onProgress, signal);
      } catch (error) {
        const isOut = isSluiceError(error, 'ORIGIN_UNAVAILABLE');
        const once = onceMore.find((code) => isSluiceError(error, code) && !tried.has(code));
        if (once) tried.add(once);
        else if (!(isOut && clock.monotonicMs() < untilMs)) throw error;
        if (isOut) await clock.sleep(limits.origin.installRetryMs, signal);
      }
    }
  }

  async #flatten(
    request: FlattenRequest,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<FlattenedImage> {
    const { data, place, origin, keys, random, clock, jails } = this.#options;
    const { imageUri, accountId, architecture = hostArchitecture } = request;
    const opening = await this.#opening(request);
    const manifestId = random.uuid();
    const rootId = await origin.activeRoot(accountId);
    const parts = currentSaltParts(this.#options.salt, rootId, accountId, clock);
    const salt = await keys.chunkSalt(parts);
    const spoolDirectory = join(data.spool, manifestId);
    const keyOf = (imageDigest: string): InstalledImageKey => ({
      ...{ accountId, rootId, salt, architecture, imageDigest },
    });
    const isFar = parseImageReference(imageUri).kind === 'registry';
    const { spoolFileBytes, isDiskLow } = this.#options;
    const watch = new InstallWatch({ imageUri, isFar, clock, signal, isDiskLow });
    try {
      await mkdir(spoolDirectory, { mode: 0o700 });
      const image = await runFlattener(
        jails,
        {
          imageUri,
          ...(request.zip && { zip: await spoolZip(request.zip, spoolDirectory) }),
          ...opening,
          architecture: architecture === 'arm64' ? 'arm64' : 'amd64',
          ...(request.mayReuse && { asksFirst: true }),
          accountId,
          manifestId,
          rootId,
          origin: place,
          spoolDirectory,
          ...(spoolFileBytes !== undefined && { spoolFileBytes }),
          salt,
          ...(request.primeL2 && { primeL2: request.primeL2 }),
        },
        (recipient) => keys.generateDataKey({ accountId, manifestId }, recipient),
        (progress) => {
          watch.progress(progress);
          onProgress(progress);
        },
        watch.signal,
        (imageDigest) => this.#installed.find(keyOf(imageDigest)),
      );
      const isNew = image.manifestId === manifestId;
      if (request.mayReuse && isNew) await this.#installed.keep(keyOf(image.imageDigest), image);
      return image;
    } finally {
      watch.close();
      await rm(spoolDirectory, { recursive: true, force: true });
    }
  }

  /** What the flattener may open and reach for the image, and as whom. */
  async #opening({ imageUri, accountId, chosenBy, zip }: FlattenRequest) {
    const { images, outbound, logins } = this.#options;
    const { isGuarded, within } = imageAccess(imageUri, accountId, chosenBy, images);
    const reference = parseImageReference(imageUri);
    const credentials =
      reference.kind === 'registry'
        ? ((zip ? undefined : await logins.find(accountId, reference)) ??
          (chosenBy === 'operator' ? await logins.findOperators(reference) : undefined))
        : undefined;
    return {
      certificateAuthorities: await readAuthorities(this.#options.registryCa),
      ...{ outbound, isGuarded },
      ...(within !== undefined && { within }),
      ...(credentials && { credentials }),
    };
  }
}

/** Archives go to the flattener as files, which it reads in its own time. */
async function spoolZip(zip: ZipToFlatten, directory: string): Promise<ZipCode> {
  const { runtime, isHostBase, archive, layers } = zip;
  const codePath = join(directory, 'code.zip');
  await writeFile(codePath, archive, { mode: 0o600 });
  const layerPaths: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const path = join(directory, `layer-${index}.zip`);
    await writeFile(path, layer, { mode: 0o600 });
    layerPaths.push(path);
  }
  return { runtime, isHostBase, codePath, layerPaths };
}
