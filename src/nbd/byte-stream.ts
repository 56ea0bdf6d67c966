import type { Socket } from 'node:net';
import { SluiceError } from '../base/mod.ts';

/** Reads a socket by byte counts, and writes to it with respect for its buffer. */
export class ByteStream {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #draining: Promise<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Exactly so many bytes; `undefined` when the peer has gone, at a boundary or not. */
  async take(bytes: number): Promise<Buffer | undefined> {
    if (this.#rest.length >= bytes) return this.#split(bytes);
    const parts = [this.#rest];
    let got = this.#rest.length;
    while (got < bytes) {
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      parts.push(next.value);
      got += next.value.length;
    }
    this.#rest = parts.length === 1 ? parts[0]! : Buffer.concat(parts, got);
    return this.#split(bytes);
  }

  /** As `take`, of a peer that has no right to go now. */
  async need(bytes: number): Promise<Buffer> {
    const taken = await this.take(bytes);
    if (taken) return taken;
    throw new SluiceError('PROTOCOL_VIOLATION', 'nbd: the client went away amid a message');
  }

  /** Sends parts together; resolves when the socket takes more. */
  async send(...parts: readonly Buffer[]): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.cork();
    let more = true;
    for (const part of parts) more = this.#socket.write(part);
    this.#socket.uncork();
    if (!more) await this.#drained();
  }

  /** Sends one part; resolves when the kernel has it, and its memory is free again. */
  async sendWhole(part: Buffer): Promise<void> {
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => this.#socket.write(part, () => resolve()));
  }

  /** One wait for all who send at once. */
  #drained(): Promise<void> {
    this.#draining ??= new Promise<void>((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        this.#draining = undefined;
        resolve();
      };
      this.#socket.once('drain', done);
      this.#socket.once('close', done);
    });
    return this.#draining;
  }

  #split(bytes: number): Buffer {
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }
}
