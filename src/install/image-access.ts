import { resolve } from 'node:path';
import { SluiceError } from '../base/mod.ts';
import { defaultAccountId, type ImageSettings } from '../config/mod.ts';
import { isWrittenWithin, parseImageReference } from '../oci/mod.ts';

/** Who chose an image: the region's operator, or an account in a request of its own. */
export type ImageChooser = 'operator' | 'account';

/** How an image may be opened. */
export interface ImageAccess {
  /** The folder of this host that the reference may not lead out of. */
  readonly within?: string;
  /** Whether only what tenants may reach is connected to. */
  readonly isGuarded: boolean;
}

/**
 * What a reference opens for an account. This host's files are its operator's: an account names
 * registries, and the folders that `images.local` lists for it. The refusal is the same whatever is
 * at the path. Throws `IMAGE_REFERENCE_INVALID`.
 */
export function imageAccess(
  imageUri: string,
  accountId: string,
  chooser: ImageChooser,
  { local }: Pick<ImageSettings, 'local'>,
): ImageAccess {
  const reference = parseImageReference(imageUri);
  if (chooser === 'operator' || accountId === defaultAccountId) return { isGuarded: false };
  if (reference.kind === 'registry') return { isGuarded: true };
  const folders = local[accountId] ?? [];
  const within = folders.find((folder) => isWrittenWithin(reference.path, folder));
  if (within !== undefined) return { within: resolve(within), isGuarded: true };
  throw new SluiceError(
    'IMAGE_REFERENCE_INVALID',
    `${imageUri}: account ${accountId} has no images on this host; name one in a registry`,
    { data: { accountId } },
  );
}
