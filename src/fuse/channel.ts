import { readSync, writeSync, writevSync } from 'node:fs';
import { KIB, SluiceError, systemErrorCode } from '../base/mod.ts';
import { putU64 } from './encode.ts';
import { size } from './protocol.ts';

/** Node ids, handles and request numbers are 64 bits on the wire; all that occur fit a double. */
function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
}

/**
 * One side of `/dev/fuse`: reads one request at a time into a buffer that it owns, and writes
 * replies from another. Both are allocated once, so that serving a request allocates nothing.
 */
export class FuseChannel {
  readonly #fd: number;
  readonly #request: Buffer;
  readonly #reply: Buffer;
  /** Where a handler puts the bytes of a reply before `replyPayload`. */
  readonly payload: Buffer;
  #requestBytes = 0;

  constructor(fd: number, maxTransferBytes: number) {
    this.#fd = fd;
    // The kernel wants room for the largest write and its headers, or refuses the read.
    this.#request = Buffer.alloc(maxTransferBytes + 4 * KIB);
    this.#reply = Buffer.alloc(size.outHeader + maxTransferBytes);
    this.payload = this.#reply.subarray(size.outHeader);
  }

  /** Waits for the next request. Answers false once the connection is gone (unmounted, aborted). */
  next(): boolean {
    for (;;) {
      try {
        this.#requestBytes = readSync(this.#fd, this.#request, 0, this.#request.length, null);
      } catch (error) {
        const code = systemErrorCode(error);
        // ENOENT: the caller was interrupted between the wake-up and our read.
        if (code === 'EINTR' || code === 'EAGAIN' || code === 'ENOENT') continue;
        if (code === 'ENODEV' || code === 'ECONNABORTED' || code === 'EBADF') return false;
        throw error;
      }
      if (this.#requestBytes < size.inHeader || this.#requestBytes !== this.u32(0)) {
        throw new SluiceError('PROTOCOL_VIOLATION', `fuse: request of ${this.#requestBytes} bytes`);
      }
      return true;
    }
  }

  /** The request as the kernel sent it, headers included; valid until the next `next()`. */
  get request(): Buffer {
    return this.#request;
  }

  get requestBytes(): number {
    return this.#requestBytes;
  }

  get opcode(): number {
    return this.u32(4);
  }

  get unique(): number {
    return this.u64(8);
  }

  get nodeId(): number {
    return this.u64(16);
  }

  u32(at: number): number {
    return this.#request.readUInt32LE(at);
  }

  u64(at: number): number {
    return readU64(this.#request, at);
  }

  /** A NUL-terminated string of the request's body. */
  text(at: number): string {
    const end = this.#request.indexOf(0, at);
    return this.#request.toString('utf8', at, Math.min(end, this.#requestBytes));
  }

  /** Sends the first `bytes` of `payload`. */
  replyPayload(unique: number, bytes: number): void {
    this.#header(unique, size.outHeader + bytes, 0);
    this.#send(size.outHeader + bytes);
  }

  /** Sends `bytes` of `data` from `at` on without copying them. */
  replyFrom(unique: number, data: Buffer, at: number, bytes: number): void {
    this.#header(unique, size.outHeader + bytes, 0);
    try {
      writevSync(this.#fd, [
        this.#reply.subarray(0, size.outHeader),
        data.subarray(at, at + bytes),
      ]);
    } catch (error) {
      this.#ignoreGone(error);
    }
  }

  /** `code` is a positive errno; 0 answers "done" without a body. */
  replyError(unique: number, code: number): void {
    this.#header(unique, size.outHeader, -code);
    this.#send(size.outHeader);
  }

  #header(unique: number, length: number, error: number): void {
    this.#reply.writeUInt32LE(length, 0);
    this.#reply.writeInt32LE(error, 4);
    putU64(this.#reply, unique, 8);
  }

  #send(length: number): void {
    try {
      writeSync(this.#fd, this.#reply, 0, length);
    } catch (error) {
      this.#ignoreGone(error);
    }
  }

  /** Nobody waits any more: the request was interrupted, or the file system unmounted. */
  #ignoreGone(error: unknown): void {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'EBADF') throw error;
  }
}
