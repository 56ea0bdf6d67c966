import { SluiceError } from '../base/mod.ts';
import type { IndexEntry } from './documents.ts';

/** For what an image is built (image-spec, image-index.md: GOOS and GOARCH). */
export interface Platform {
  readonly os: 'linux';
  readonly architecture: 'amd64' | 'arm64';
  readonly variant?: string;
}

export function hostPlatform(): Platform {
  return { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
}

export function platformName(platform: {
  os: string;
  architecture: string;
  variant?: string | undefined;
}): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}

/** `arm64` without a variant is v8; `amd64` without one is v1, which runs everywhere. */
function variantFits(wanted: Platform, found: string | undefined): boolean {
  if (wanted.variant !== undefined) return (found ?? 'v8') === wanted.variant;
  if (wanted.architecture === 'arm64') return found === undefined || found === 'v8';
  return found === undefined || found === 'v1';
}

/**
 * The entries that may be for `platform`: the first that says so, else all that say nothing, of
 * which the configuration must tell. Throws `IMAGE_PLATFORM_MISSING` when there is none.
 */
export function platformCandidates(
  entries: readonly IndexEntry[],
  platform: Platform,
  where: string,
): readonly [IndexEntry, ...IndexEntry[]] {
  const fits = entries.find(
    (entry) =>
      entry.platform?.os === platform.os &&
      entry.platform.architecture === platform.architecture &&
      variantFits(platform, entry.platform.variant),
  );
  if (fits !== undefined) return [fits];
  const [unnamed, ...others] = entries.filter((entry) => entry.platform === undefined);
  if (unnamed !== undefined) return [unnamed, ...others];
  const there = entries.map((entry) => platformName(entry.platform!));
  throw platformMissing(platform, there, where);
}

export function platformMissing(
  platform: Platform,
  there: readonly string[],
  where: string,
): SluiceError {
  return new SluiceError(
    'IMAGE_PLATFORM_MISSING',
    `${where}: there is no ${platformName(platform)}, only ${there.join(', ') || 'nothing'}; ` +
      'build the image for this platform',
    { data: { platform: platformName(platform), there: there.join(',') } },
  );
}
