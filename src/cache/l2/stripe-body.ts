import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { SluiceError } from '../../base/mod.ts';
import type { StripeKey } from './stripe-key.ts';

/**
 * The body of a put, in one buffer of its own. Rejects with `STRIPE_REJECTED` when it is not what was
 * signed, or is not what its name says where that can be told: a code with k = 1 keeps whole
 * chunks; of any other stripe only the worker that holds k of them can tell.
 */
export async function receiveStripe(
  request: IncomingMessage,
  key: StripeKey,
  sizeBytes: number,
): Promise<Buffer> {
  const stripe = Buffer.allocUnsafeSlow(sizeBytes);
  let filledBytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    filledBytes += piece.copy(stripe, filledBytes);
  }
  const digest = hash('sha256', stripe, 'hex');
  if (filledBytes !== sizeBytes || digest !== request.headers['x-sluice-body']) {
    throw new SluiceError('STRIPE_REJECTED', `${key.chunkName}: the body is not the one signed`);
  }
  if (key.k === 1 && digest !== key.chunkName) {
    throw new SluiceError('STRIPE_REJECTED', `${key.chunkName}: the body has another hash`);
  }
  return stripe;
}
