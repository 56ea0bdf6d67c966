import { hash } from 'node:crypto';
import { SluiceError } from '../../base/mod.ts';
import type { StripeKey } from './stripe-key.ts';

/**
 * Throws `STRIPE_REJECTED` when the body of a put is not what was signed, or is not what its name
 * says where that can be told: a code with k = 1 keeps whole chunks; of any other stripe only the
 * worker that holds k of them can tell.
 */
export function checkStripe(
  stripe: Buffer,
  key: StripeKey,
  signedSha256: string | undefined,
): void {
  const digest = hash('sha256', stripe, 'hex');
  if (digest !== signedSha256) {
    throw new SluiceError('STRIPE_REJECTED', `${key.chunkName}: the body is not the one signed`);
  }
  if (key.k === 1 && digest !== key.chunkName) {
    throw new SluiceError('STRIPE_REJECTED', `${key.chunkName}: the body has another hash`);
  }
}
