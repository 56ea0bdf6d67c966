import { type FileHandle, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { isSluiceError, MIB } from '../base/mod.ts';
import { malformed } from './documents.ts';
import { notFound, openRegularFile, type RegularFile } from './local-file.ts';

/** The files of a layout, wherever they lie: in a directory or packed in an archive. */
export interface LayoutFiles {
  /** For messages. */
  readonly name: string;
  has(path: string): Promise<boolean>;
  /** The whole file. Throws `IMAGE_NOT_FOUND` and, beyond `limitBytes`, `IMAGE_MALFORMED`. */
  read(path: string, limitBytes: number): Promise<Buffer>;
  open(path: string, signal?: AbortSignal): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

const READ_BYTES = 1 * MIB;

/** Bytes `start` to `end` of a file, in Buffers that are not used again. */
export async function* readRange(
  file: FileHandle,
  start: number,
  end: number,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  let position = start;
  while (position < end) {
    signal?.throwIfAborted();
    const wanted = Math.min(READ_BYTES, end - position);
    const { bytesRead, buffer } = await file.read(
      Buffer.allocUnsafeSlow(wanted),
      0,
      wanted,
      position,
    );
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

export async function readAll(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const bytes of source) parts.push(bytes);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** A layout in a directory. No symbolic link may lead out of it, no file be a device or a pipe. */
export class LayoutDirectory implements LayoutFiles {
  readonly name: string;
  readonly #within: string;

  /** With `within`, links may lead about in that folder, and the directory must lie in it. */
  constructor(directory: string, within = directory) {
    this.name = directory;
    this.#within = within;
  }

  async has(path: string): Promise<boolean> {
    return (await realpath(join(this.name, path)).catch(() => undefined)) !== undefined;
  }

  async read(path: string, limitBytes: number): Promise<Buffer> {
    const { file, sizeBytes } = await this.#open(path);
    try {
      if (sizeBytes > limitBytes) {
        throw malformed(`${this.name}: ${path}`, `it has more than ${limitBytes} bytes`);
      }
      return await readAll(readRange(file, 0, limitBytes + 1));
    } finally {
      await file.close();
    }
  }

  async *open(path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const { file } = await this.#open(path);
    try {
      yield* readRange(file, 0, Number.POSITIVE_INFINITY, signal);
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {}

  async #open(path: string): Promise<RegularFile> {
    try {
      return await openRegularFile(join(this.name, path), this.#within);
    } catch (error) {
      if (isSluiceError(error, 'IMAGE_NOT_FOUND')) throw notFound(this.name, path, error);
      throw error;
    }
  }
}
