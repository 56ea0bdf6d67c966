import { isSluiceError, limits } from '../base/mod.ts';
import { readZipDirectory, unpackedBytes } from '../zip/mod.ts';
import { ApiError, invalidParameter } from './api-error.ts';

/**
 * Checks an uploaded archive by its directory and answers the bytes that it claims to unpack to.
 * The install trusts none of that and counts again. Throws the API's errors.
 */
export function requireZip(bytes: Buffer): number {
  const { codeSizeZippedBytes, codeSizeUnzippedBytes } = limits.lambda;
  if (bytes.length > codeSizeZippedBytes) {
    throw new ApiError(
      'RequestEntityTooLargeException',
      `Zipped size must be smaller than ${codeSizeZippedBytes} bytes`,
    );
  }
  const unzippedBytes = claimedBytes(bytes);
  if (unzippedBytes > codeSizeUnzippedBytes) {
    throw invalidParameter(`Unzipped size must be smaller than ${codeSizeUnzippedBytes} bytes`);
  }
  return unzippedBytes;
}

function claimedBytes(bytes: Buffer): number {
  try {
    return unpackedBytes(readZipDirectory(bytes));
  } catch (error) {
    if (!isSluiceError(error, 'CODE_INVALID')) throw error;
    throw invalidParameter(
      'Could not unzip uploaded file. Please check your file, then try to upload again.',
    );
  }
}

/** Code and layers share one limit. Throws the API's error. */
export function requireTogetherSmall(
  codeUnzippedBytes: number,
  layers: readonly { readonly unzippedBytes: number }[],
): void {
  if (layers.length === 0) return;
  const sum = layers.reduce((bytes, layer) => bytes + layer.unzippedBytes, codeUnzippedBytes);
  if (sum <= limits.lambda.codeSizeUnzippedBytes) return;
  throw invalidParameter(
    'Function code combined with layers exceeds the maximum allowed size of ' +
      `${limits.lambda.codeSizeUnzippedBytes} bytes. The actual size is ${sum} bytes.`,
  );
}
