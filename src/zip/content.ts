import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { invalid, type ZipEntry } from './directory.ts';

/**
 * A member's content, unpacked as it is asked for; never more than the entry claims, so that a few
 * bytes cannot become many. Throws `CODE_INVALID` for what is not what the directory says.
 */
export async function* readZipContent(bytes: Buffer, entry: ZipEntry): AsyncGenerator<Buffer> {
  const stored = bytes.subarray(entry.offset, entry.offset + entry.storedBytes);
  let checksum = 0;
  let sizeBytes = 0;
  for await (const part of entry.isDeflated ? inflate(stored, entry) : [stored]) {
    sizeBytes += part.length;
    if (sizeBytes > entry.sizeBytes) throw invalid('is longer than it says', entry.name);
    checksum = crc32(part, checksum);
    yield part;
  }
  if (sizeBytes !== entry.sizeBytes) throw invalid('is shorter than it says', entry.name);
  if (checksum !== entry.crc32) throw invalid('is damaged: its checksum differs', entry.name);
}

async function* inflate(stored: Buffer, entry: ZipEntry): AsyncGenerator<Buffer> {
  const inflater = Readable.from([stored], { objectMode: true }).pipe(createInflateRaw());
  try {
    for await (const part of inflater) yield part as Buffer;
  } catch (cause) {
    throw invalid(`is damaged: ${cause instanceof Error ? cause.message : cause}`, entry.name);
  } finally {
    inflater.destroy();
  }
}
