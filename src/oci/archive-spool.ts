import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes, limits, SluiceError } from '../base/mod.ts';
import { COMPRESSION_HEAD_BYTES, decompressed, detectCompression } from './decompress.ts';
import { unknownCompression } from './documents.ts';
import { readAll, readRange } from './layout-files.ts';

export interface SpoolOptions {
  /** Where a compressed archive is unpacked to; nothing is left there. */
  readonly spoolDirectory: string;
  /** Of the unpacked archive. */
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * The archive as one that can be read at any place: itself, or for a compressed one (Nix makes
 * such) an unpacked copy without a name, which goes when it is closed. `file` is closed if it is
 * not the answer. Throws `IMAGE_COMPRESSION_UNKNOWN`, `IMAGE_TOO_LARGE` and what decompression does.
 */
export async function uncompressedArchive(
  file: FileHandle,
  name: string,
  options: SpoolOptions,
): Promise<FileHandle> {
  const head = await readAll(readRange(file, 0, COMPRESSION_HEAD_BYTES));
  const compression = detectCompression(head);
  if (compression === 'none') return file;
  if (compression === 'xz' || compression === 'bzip2') throw unknownCompression(name, compression);
  const copy = await namelessFile(options.spoolDirectory);
  try {
    await unpack(file, copy, name, options);
    await file.close();
    return copy;
  } catch (error) {
    await copy.close();
    throw error;
  }
}

async function namelessFile(directory: string): Promise<FileHandle> {
  const made = await mkdtemp(join(directory, 'archive-'));
  try {
    return await open(join(made, 'unpacked'), 'wx+', 0o600);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

async function unpack(
  file: FileHandle,
  copy: FileHandle,
  name: string,
  { signal, limitBytes = limits.image.archiveBytes }: SpoolOptions,
): Promise<void> {
  let position = 0;
  const stored = readRange(file, 0, Number.POSITIVE_INFINITY, signal);
  for await (const bytes of decompressed(stored, { what: name })) {
    if (position + bytes.length > limitBytes) {
      throw new SluiceError(
        'IMAGE_TOO_LARGE',
        `${name}: it unpacks to more than ${formatBytes(limitBytes)}`,
        { data: { limitBytes } },
      );
    }
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await copy.write(bytes, at, bytes.length - at, position);
      at += bytesWritten;
      position += bytesWritten;
    }
  }
}
