import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../base/mod.ts';
import type { ManifestSource } from '../origin/mod.ts';
import { readManifestHeader } from '../seal/mod.ts';
import type { FlattenedImage } from './flattener-protocol.ts';

/** All that makes two installs give the same manifest. */
export interface InstalledImageKey {
  readonly accountId: string;
  readonly rootId: string;
  readonly salt: Buffer;
  readonly architecture: string;
  readonly imageDigest: string;
}

/**
 * Remembers which manifest an account's image became, so that the next function of the same account
 * from the same image needs no second one. Never answers with another account's. Files in the
 * cache directory, which may be lost.
 */
export class InstalledImages {
  readonly #directory: string;
  readonly #manifests: Pick<ManifestSource, 'getManifest'>;

  constructor(directory: string, manifests: Pick<ManifestSource, 'getManifest'>) {
    this.#directory = directory;
    this.#manifests = manifests;
  }

  /** `undefined` when there is none, or when its manifest is not in the key's root any more. */
  async find(key: InstalledImageKey): Promise<FlattenedImage | undefined> {
    try {
      const kept = JSON.parse(await readFile(this.#path(key), 'utf8'));
      // Those kept by an older Sluice have no warnings.
      const image: FlattenedImage = { warnings: [], ...kept };
      const bytes = await this.#manifests.getManifest(key.rootId, image.manifestId);
      const isOwn = readManifestHeader(bytes).accountId === key.accountId;
      return isOwn ? image : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps a bounded number; an image that is not kept is flattened again. */
  async keep(key: InstalledImageKey, image: FlattenedImage): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(key);
    if ((await readdir(this.#directory)).length >= limits.image.installsRemembered) return;
    const unfinished = `${path}.${image.manifestId}`;
    await writeFile(unfinished, JSON.stringify(image), { mode: 0o600 });
    await rename(unfinished, path);
  }

  #path({ accountId, rootId, salt, architecture, imageDigest }: InstalledImageKey): string {
    const saltDigest = createHash('sha256').update(salt).digest('hex');
    const parts = JSON.stringify([accountId, rootId, saltDigest, architecture, imageDigest]);
    return join(this.#directory, createHash('sha256').update(parts).digest('hex'));
  }
}
