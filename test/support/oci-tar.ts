import assert from 'node:assert/strict';
import { readTar, type TarEntry } from '../../src/oci/mod.ts';

/** An entry with its content in place. */
export interface ReadEntry extends Omit<TarEntry, 'content' | 'contentOffset' | 'storedBytes'> {
  readonly bytes: Buffer;
}

export async function readAll(source: AsyncIterable<Buffer>): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for await (const { content, contentOffset: _, storedBytes, ...entry } of readTar(source)) {
    const parts: Buffer[] = [];
    for await (const bytes of content()) parts.push(bytes);
    const bytes = Buffer.concat(parts);
    assert.equal(bytes.length, storedBytes);
    entries.push({ ...entry, bytes });
  }
  return entries;
}
