import type { IncomingMessage } from 'node:http';
import { limits, SluiceError } from '../../base/mod.ts';

/** Whose a body is, as far as can be told before all of it is there. */
export interface BodyOwner {
  readonly accountId: string;
  /** The address that sends it. */
  readonly peer: string;
  /** The signature is verified; else anybody may have written the account's key id. */
  readonly proven: boolean;
}

/** Names of shares, and how many bytes each may have. */
type BodyShares = readonly (readonly [string, number])[];

/**
 * How many bytes of request bodies may be in memory at once, over all connections. An account has a
 * share of them, and so has what came without proof: in all, and of one peer under one account's
 * name. So whoever holds bodies back takes memory from itself.
 */
export class ByteBudget {
  readonly #bytes: number;
  readonly #held = new Map<string, number>();

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** What one body takes is counted in all of these. */
  sharesOf({ accountId, peer, proven }: BodyOwner): BodyShares {
    const { bodyPartPerAccount, bodyPartPerPeer, bodyPartUnproven } = limits.shares;
    const of = (part: number) => part * this.#bytes;
    const all: [string, number] = ['the server', this.#bytes];
    if (proven) return [all, [`account ${accountId}`, of(bodyPartPerAccount)]];
    return [
      all,
      ['what is not verified yet', of(bodyPartUnproven)],
      [`${peer} as ${accountId}`, of(bodyPartPerPeer)],
    ];
  }

  /** Throws `OVERLOADED` when the bytes are not available. */
  take(shares: BodyShares, bytes: number): void {
    for (const [share, most] of shares) {
      if ((this.#held.get(share) ?? 0) + bytes > most) {
        throw new SluiceError('OVERLOADED', `request bodies: ${share} holds as many as it may`);
      }
    }
    for (const [share] of shares) this.#held.set(share, (this.#held.get(share) ?? 0) + bytes);
  }

  give(shares: BodyShares, bytes: number): void {
    for (const [share] of shares) {
      const left = (this.#held.get(share) ?? 0) - bytes;
      if (left === 0) this.#held.delete(share);
      else this.#held.set(share, left);
    }
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
  owner: BodyOwner,
): Promise<ReceivedBody | undefined> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) return Promise.resolve(undefined);
  const hasBody = announced > 0 || request.headers['transfer-encoding'] !== undefined;
  if (!hasBody) return Promise.resolve(nothing);
  return new Promise((resolve, reject) => {
    const shares = budget.sharesOf(owner);
    const pieces: Buffer[] = [];
    let size = 0;
    let held = 0;
    const settle = (finish: () => void) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      finish();
    };
    const drop = () => {
      budget.give(shares, held);
      pieces.length = 0;
    };
    const onData = (piece: Buffer) => {
      size += piece.length;
      if (size > maxBytes) {
        drop();
        return settle(() => resolve(undefined));
      }
      try {
        budget.take(shares, piece.length);
        held += piece.length;
        pieces.push(piece);
      } catch (error) {
        drop();
        settle(() => reject(error));
      }
    };
    const onEnd = () => {
      const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size);
      settle(() => resolve({ bytes, release: () => budget.give(shares, held) }));
    };
    const onClose = () => {
      drop();
      settle(() => reject(new SluiceError('CANCELLED', 'the client went away while sending')));
    };
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}
