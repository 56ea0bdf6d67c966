import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Clock, limits, SluiceError } from '../../base/mod.ts';

const SCHEME = 'SLUICE1';
const AUTHORIZATION = /^SLUICE1 (\d{10,16}) ([0-9a-f]{64})$/;

export interface SignedCall {
  readonly method: string;
  readonly path: string;
  /** SHA-256 of the body in hex; empty without one. */
  readonly bodySha256: string;
}

/**
 * The secrets that a zone's workers and cache nodes share. The first signs and every one of them
 * verifies, so a secret is replaced by putting the new one second everywhere, then first.
 */
export type SharedSecrets = readonly [string, ...string[]];

/** One secret a line. Rejects a file without a secret, or with a short one, with `CONFIG_INVALID`. */
export function readSecretFile(path: string): SharedSecrets {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SluiceError('CONFIG_INVALID', `${path}: the secret file cannot be read`, { cause });
  }
  const [first, ...others] = text.split('\n').flatMap((line) => line.trim() || []);
  const least = limits.l2.secretBytesMin;
  if (!first || [first, ...others].some((secret) => Buffer.byteLength(secret) < least)) {
    throw new SluiceError(
      'CONFIG_INVALID',
      `${path}: one secret a line is wanted, each of at least ${least} bytes`,
    );
  }
  return [first, ...others];
}

function mac(secret: string, timestampMs: number, request: SignedCall): Buffer {
  const { method, path, bodySha256 } = request;
  return createHmac('sha256', secret)
    .update(`${SCHEME}\n${timestampMs}\n${method}\n${path}\n${bodySha256}`)
    .digest();
}

/** The value of the `authorization` header. */
export function signRequest(secrets: SharedSecrets, nowMs: number, request: SignedCall): string {
  const timestampMs = Math.round(nowMs);
  return `${SCHEME} ${timestampMs} ${mac(secrets[0], timestampMs, request).toString('hex')}`;
}

/**
 * Whether one of the secrets signed this request within the window around now. Within it a request
 * may be replayed, which does nothing: every request is idempotent, and what it answers is
 * ciphertext that the one who recorded it has seen. Compares in constant time.
 */
export function verifyRequest(
  secrets: SharedSecrets,
  clock: Clock,
  authorization: string | undefined,
  request: SignedCall,
): boolean {
  const match = AUTHORIZATION.exec(authorization ?? '');
  if (!match) return false;
  const timestampMs = Number(match[1]);
  if (Math.abs(clock.nowMs() - timestampMs) > limits.l2.signatureWindowMs) return false;
  const given = Buffer.from(match[2]!, 'hex');
  let verified = false;
  for (const secret of secrets) {
    if (timingSafeEqual(given, mac(secret, timestampMs, request))) verified = true;
  }
  return verified;
}

/** What a metrics collector, which cannot sign, shows as its bearer token. */
export function metricsToken(secret: string): string {
  return createHmac('sha256', secret).update(`${SCHEME} metrics`).digest('hex');
}

/** Whether `authorization` bears the metrics token of one of the secrets. */
export function bearsMetricsToken(
  secrets: SharedSecrets,
  authorization: string | undefined,
): boolean {
  const given = hash('sha256', authorization ?? '', 'buffer');
  return secrets
    .map((secret) => hash('sha256', `Bearer ${metricsToken(secret)}`, 'buffer'))
    .some((expected) => timingSafeEqual(given, expected));
}
