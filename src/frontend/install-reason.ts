import { type ErrorCode, toSluiceError } from '../base/mod.ts';
import type { StateReason } from '../records/mod.ts';

const reasonCodes: Partial<Record<ErrorCode, string>> = {
  IMAGE_NOT_FOUND: 'ImageDeleted',
  REGISTRY_DENIED: 'ImageAccessDenied',
  ACCESS_DENIED: 'ImageAccessDenied',
  REGISTRY_UNAVAILABLE: 'ImageAccessDenied',
  KEY_NOT_FOUND: 'KMSKeyNotFound',
  KEY_DISABLED: 'DisabledKMSKey',
  KEY_DENIED: 'KMSKeyAccessDenied',
  CODE_NOT_FOUND: 'InvalidZipFileException',
  CODE_INVALID: 'InvalidZipFileException',
  CODE_TOO_LARGE: 'InvalidZipFileException',
  HOST_LACKS: 'InvalidRuntime',
};

const again = 'The region could not install the code. Please try again.';

/** What is said where the error's own words would tell of this host, or of another's answers. */
const plainWords: Partial<Record<ErrorCode, string>> = {
  IMAGE_DIGEST_MISMATCH: 'The image is not what its digest says. Push it again.',
  REGISTRY_UNAVAILABLE: 'The registry cannot be reached from this region.',
  // The same words, so that names inside a network cannot be told from those that are not there.
  ACCESS_DENIED: 'The registry cannot be reached from this region.',
  KEY_NOT_FOUND: "The account's key was not found. Ask the region's operator.",
  KEY_DISABLED: "The account's key is disabled. Ask the region's operator.",
  KEY_DENIED: "The account's key may not be used. Ask the region's operator.",
  CODE_NOT_FOUND: 'The code is not there any more. Upload it again.',
  HOST_LACKS: 'The runtime is not available in this region.',
};

/**
 * What a failed install leaves as state reason: the nearest of Lambda's codes, and words. A tenant
 * reads the error's own only where they are about his image or archive: all others name paths,
 * processes, hosts and answers that are not his. The operator reads all that his own log has.
 */
export function reasonOf(error: unknown, source: 'image' | 'zip' | 'operator'): StateReason {
  const { code, message, traits } = toSluiceError(error);
  // An image brings its runtime: what the host lacks for it is ours to mend.
  if (code === 'HOST_LACKS' && source === 'image') return { text: again, code: 'InternalError' };
  const isImage = code.startsWith('IMAGE_');
  const reasonCode = reasonCodes[code] ?? (isImage ? 'InvalidImage' : 'InternalError');
  if (source === 'operator') {
    const isTheirs = traits.fault === 'caller' || code in reasonCodes;
    return { text: isTheirs ? message : again, code: reasonCode };
  }
  const isOwn =
    source === 'image' ? isImage || code === 'REGISTRY_DENIED' : code.startsWith('CODE_');
  return { text: plainWords[code] ?? (isOwn ? message : again), code: reasonCode };
}
