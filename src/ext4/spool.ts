import { readSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, limits } from '../base/mod.ts';

/**
 * Holds the content of a layer's small files until the layer's end, when their order is known. The
 * file has no name once it is open, so that a crash leaves nothing behind.
 */
export class Spool {
  readonly #directory: string;
  readonly #buffer = Buffer.allocUnsafeSlow(limits.disk.spoolBufferBytes);
  #handle: FileHandle | undefined;
  #buffered = 0;
  #written = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where the next byte will lie. */
  get sizeBytes(): number {
    return this.#written + this.#buffered;
  }

  async append(data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const copied = data.copy(this.#buffer, this.#buffered, at);
      this.#buffered += copied;
      at += copied;
      if (this.#buffered === this.#buffer.length) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#buffered === 0) return;
    this.#handle ??= await openNameless(this.#directory);
    for (let at = 0; at < this.#buffered; ) {
      const { bytesWritten } = await this.#handle.write(
        this.#buffer,
        at,
        this.#buffered - at,
        this.#written + at,
      );
      at += bytesWritten;
    }
    this.#written += this.#buffered;
    this.#buffered = 0;
  }

  /**
   * Reads what was appended and flushed. Synchronous: the bytes were just written and lie in the
   * page cache, where a system call is cheaper than a trip through the thread pool.
   */
  read(offset: number, length: number, into: Buffer, at: number): void {
    assert(this.#handle && offset + length <= this.#written, 'the spool holds what is read');
    for (let done = 0; done < length; ) {
      const count = readSync(this.#handle.fd, into, at + done, length - done, offset + done);
      assert(count > 0, 'the spool file keeps its length');
      done += count;
    }
  }

  /** Forgets all content, and keeps the file for the next layer. */
  async clear(): Promise<void> {
    this.#buffered = 0;
    this.#written = 0;
    await this.#handle?.truncate(0);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

async function openNameless(directory: string): Promise<FileHandle> {
  const own = await mkdtemp(join(directory, 'spool-'));
  try {
    return await open(join(own, 'content'), 'wx+', 0o600);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
