import { limits } from '../base/mod.ts';

/**
 * Memory for the replies of one connection, used again and again: fresh memory for each would cost
 * as much as filling it. As many as it has requests at once; larger replies are not kept.
 */
export class ReplyBuffers {
  readonly #free: ArrayBufferLike[] = [];

  /** So many bytes, with anything in them. */
  take(bytes: number): Buffer {
    if (bytes > limits.nbd.keptReplyBytes) return Buffer.allocUnsafeSlow(bytes);
    const kept = this.#free.pop() ?? Buffer.allocUnsafeSlow(limits.nbd.keptReplyBytes).buffer;
    return Buffer.from(kept, 0, bytes);
  }

  /** Gives back what `take` gave; nobody reads it any more. */
  give({ buffer }: Buffer): void {
    if (buffer.byteLength !== limits.nbd.keptReplyBytes) return;
    if (this.#free.length < limits.nbd.requestsAtOnce) this.#free.push(buffer);
  }
}
