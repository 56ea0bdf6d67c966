import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { CHUNK_SIZE_BYTES } from '../base/mod.ts';
import type { DiskEntry, DiskSink, DiskSummary } from './entry.ts';
import type { DiskSource } from './reader.ts';
import { DiskWriter } from './writer.ts';

/** A disk in memory, as a sink to write it, and as a source to read it back. */
export class MemoryDisk implements DiskSink, DiskSource {
  readonly chunks = new Map<number, Buffer>();
  sizeBytes = 0;

  async writeChunk(index: number, data: Buffer): Promise<void> {
    if (this.chunks.has(index)) throw new Error(`chunk ${index} was written twice`);
    if (data.length !== CHUNK_SIZE_BYTES) throw new Error(`chunk ${index} is no whole chunk`);
    this.chunks.set(index, Buffer.from(data));
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const out = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const inChunk = (offset + at) % CHUNK_SIZE_BYTES;
      const count = Math.min(length - at, CHUNK_SIZE_BYTES - inChunk);
      const chunk = this.chunks.get(Math.floor((offset + at) / CHUNK_SIZE_BYTES));
      chunk?.copy(out, at, inChunk, inChunk + count);
      at += count;
    }
    return out;
  }

  /** Writes a sparse file, for other people's tools. */
  save(path: string): void {
    const file = openSync(path, 'w');
    for (const [index, chunk] of this.chunks) {
      writeSync(file, chunk, 0, chunk.length, index * CHUNK_SIZE_BYTES);
    }
    ftruncateSync(file, this.sizeBytes);
    closeSync(file);
  }
}

/** One step of a layer: an entry with its content, a whiteout, or an opaque directory. */
export type LayerStep =
  | { add: DiskEntry; content?: Buffer }
  | { remove: string }
  | { removeChildren: string };

export const plain = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeSeconds: 1_700_000_000,
  mtimeNanoseconds: 0,
  xattrs: new Map<string, Buffer>(),
} as const;

export const directory = (path: string, more: Partial<DiskEntry> = {}): LayerStep => ({
  add: { ...plain, mode: 0o755, ...more, path, kind: 'directory' },
});

export const file = (path: string, content: Buffer, more: Partial<DiskEntry> = {}): LayerStep => ({
  add: { ...plain, sizeBytes: content.length, ...more, path, kind: 'file' },
  content,
});

async function* inPieces(content: Buffer): AsyncGenerator<Buffer> {
  const pieceBytes = 100_000;
  for (let at = 0; at < content.length; at += pieceBytes) {
    yield content.subarray(at, at + pieceBytes);
  }
}

/** Writes layers to a disk in memory. */
export async function writeLayers(
  layers: readonly (readonly LayerStep[])[],
  spoolDirectory = tmpdir(),
): Promise<{ disk: MemoryDisk; summary: DiskSummary }> {
  const disk = new MemoryDisk();
  const writer = new DiskWriter({ sink: disk, spoolDirectory });
  try {
    for (const layer of layers) {
      writer.beginLayer();
      for (const step of layer) {
        if ('add' in step) await writer.add(step.add, inPieces(step.content ?? Buffer.alloc(0)));
        else if ('remove' in step) writer.remove(step.remove);
        else writer.removeChildren(step.removeChildren);
      }
      await writer.endLayer();
    }
    const summary = await writer.finish();
    disk.sizeBytes = summary.diskBytes;
    return { disk, summary };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Lets e2fsck judge a disk; throws with what it says unless it finds nothing at all. */
export function checkWithE2fsck(path: string): void {
  const output = execFileSync('e2fsck', ['-fn', path], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  const complaints = output
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('Pass ') && !line.startsWith(`${path}: `));
  if (complaints.length > 0) throw new Error(`e2fsck: ${complaints.join('; ')}`);
}
