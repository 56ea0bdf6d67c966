import type { IncomingMessage } from 'node:http';
import { SluiceError } from '../../base/mod.ts';

/** How many bytes of request bodies may be in memory at once, over all connections. */
export class ByteBudget {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Throws `OVERLOADED` when the bytes are not to be had. */
  take(bytes: number): void {
    if (bytes > this.#free) {
      throw new SluiceError('OVERLOADED', 'request bodies: the server holds as many as it may');
    }
    this.#free -= bytes;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}

export interface ReceivedBody {
  readonly bytes: Buffer;
  /** Gives the memory back; to be called once, when the body is no longer needed. */
  release(): void;
}

const nothing: ReceivedBody = { bytes: Buffer.alloc(0), release: () => {} };

/**
 * Receives the body, up to `maxBytes`; undefined as soon as it turns out to be larger, with no
 * more than that in memory. Rejects with `CANCELLED` when the client goes away.
 */
export function receiveBody(
  request: IncomingMessage,
  maxBytes: number,
  budget: ByteBudget,
): Promise<ReceivedBody | undefined> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) return Promise.resolve(undefined);
  const hasBody = announced > 0 || request.headers['transfer-encoding'] !== undefined;
  if (!hasBody) return Promise.resolve(nothing);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    let held = 0;
    const settle = (finish: () => void) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      finish();
    };
    const drop = () => {
      budget.give(held);
      pieces.length = 0;
    };
    const onData = (piece: Buffer) => {
      size += piece.length;
      if (size > maxBytes) {
        drop();
        return settle(() => resolve(undefined));
      }
      try {
        budget.take(piece.length);
        held += piece.length;
        pieces.push(piece);
      } catch (error) {
        drop();
        settle(() => reject(error));
      }
    };
    const onEnd = () => {
      const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size);
      settle(() => resolve({ bytes, release: () => budget.give(held) }));
    };
    const onClose = () => {
      drop();
      settle(() => reject(new SluiceError('CANCELLED', 'the client went away while sending')));
    };
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}
