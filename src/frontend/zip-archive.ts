import { limits } from '../base/mod.ts';
import { ApiError, invalidParameter } from './api-error.ts';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;

const broken = () =>
  invalidParameter(
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
  );

/** Where the archive's directory ends: the last signature whose comment fills the rest. */
function findEnd(bytes: Buffer): number {
  const lowest = Math.max(0, bytes.length - END_BYTES - COMMENT_BYTES_MAX);
  for (let at = bytes.length - END_BYTES; at >= lowest; at--) {
    if (bytes.readUInt32LE(at) !== END_SIGNATURE) continue;
    if (at + END_BYTES + bytes.readUInt16LE(at + 20) === bytes.length) return at;
  }
  throw broken();
}

/**
 * Checks an uploaded archive by its directory (PKWARE APPNOTE 4.3): whether it is one, and what it
 * claims to unpack to. The install trusts none of that and counts again. Throws the API's errors.
 */
export function requireZip(bytes: Buffer): void {
  const { codeSizeZippedBytes, codeSizeUnzippedBytes } = limits.lambda;
  if (bytes.length > codeSizeZippedBytes) {
    throw new ApiError(
      'RequestEntityTooLargeException',
      `Zipped size must be smaller than ${codeSizeZippedBytes} bytes`,
    );
  }
  if (bytes.length < END_BYTES) throw broken();
  const end = findEnd(bytes);
  const entries = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  let unzippedBytes = 0;
  for (let index = 0; index < entries; index++) {
    if (at + ENTRY_BYTES > end || bytes.readUInt32LE(at) !== ENTRY_SIGNATURE) throw broken();
    const local = bytes.readUInt32LE(at + 42);
    if (local + 4 > end || bytes.readUInt32LE(local) !== LOCAL_SIGNATURE) throw broken();
    unzippedBytes += bytes.readUInt32LE(at + 24);
    const tail = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    at += ENTRY_BYTES + tail.reduce((sum, each) => sum + each, 0);
  }
  if (unzippedBytes > codeSizeUnzippedBytes) {
    throw invalidParameter(`Unzipped size must be smaller than ${codeSizeUnzippedBytes} bytes`);
  }
}
