import { SluiceError } from '../base/mod.ts';
import type { Digest } from './digest.ts';
import { type ImageDocument, type IndexEntry, malformed, parseImageDocument } from './documents.ts';
import { type ImageConfig, parseImageConfig } from './image-config.ts';
import type { ImageSource, ManifestBytes } from './image-source.ts';
import { type Platform, platformCandidates, platformMissing, platformName } from './platform.ts';

/** How many indexes may point at each other before it is called a circle. */
const INDEX_DEPTH_MAX = 4;

/** The manifest for `platform` below what the source's reference names. */
export async function findManifest(
  source: ImageSource,
  platform: Platform,
  signal?: AbortSignal,
): Promise<{ manifest: ImageDocument & { kind: 'manifest' }; digest: Digest }> {
  let found: ManifestBytes = await source.root(platform, signal);
  for (let depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
    const where = `${source.name}: manifest ${found.digest}`;
    const document = parseImageDocument(found.bytes, where, found.mediaType);
    if (document.kind === 'manifest') return { manifest: document, digest: found.digest };
    const candidates = platformCandidates(document.entries, platform, where);
    found =
      document.entries.length === 1
        ? await source.manifest(candidates[0], signal)
        : await firstThatFits(candidates, { source, platform, where, signal });
  }
  throw malformed(source.name, `its indexes are nested more than ${INDEX_DEPTH_MAX} deep`);
}

/** How many manifests are read to learn what they are for. */
const CANDIDATES_MAX = 32;

/** Of entries that do not say what they are for: the first whose configuration says so. */
async function firstThatFits(
  candidates: readonly [IndexEntry, ...IndexEntry[]],
  {
    source,
    platform,
    where,
    signal,
  }: { source: ImageSource; platform: Platform; where: string; signal: AbortSignal | undefined },
): Promise<ManifestBytes> {
  if (candidates[0].platform !== undefined) return source.manifest(candidates[0], signal);
  const there: string[] = [];
  for (const candidate of candidates.slice(0, CANDIDATES_MAX)) {
    const found = await source.manifest(candidate, signal);
    const document = parseImageDocument(found.bytes, where, found.mediaType);
    if (document.kind === 'index') continue;
    const config = parseImageConfig(await source.config(document.config, signal), where);
    if (isFor(config, platform)) return found;
    there.push(platformName(config));
  }
  throw platformMissing(platform, there, where);
}

function isFor({ os, architecture }: ImageConfig, platform: Platform): boolean {
  if (os === '' && architecture === '') return true;
  return os === platform.os && architecture === platform.architecture;
}

/** An image outside an index says in its configuration what it is built for. */
export function checkPlatform(config: ImageConfig, platform: Platform, name: string): void {
  if (isFor(config, platform)) return;
  throw new SluiceError(
    'IMAGE_PLATFORM_MISSING',
    `${name}: the image is for ${platformName(config)} and not for ${platformName(platform)}`,
    { data: { platform: platformName(platform), there: platformName(config) } },
  );
}
