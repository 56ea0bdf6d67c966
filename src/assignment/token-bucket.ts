/** Tokens that come back at a constant rate, up to a capacity; starts full. */
export interface TokenBucket {
  tokens: number;
  atMs: number;
}

export function fullBucket(capacity: number, nowMs: number): TokenBucket {
  return { tokens: capacity, atMs: nowMs };
}

/** Takes one token if there is one. `ratePerSecond` may differ from call to call. */
export function takeToken(
  bucket: TokenBucket,
  capacity: number,
  ratePerSecond: number,
  nowMs: number,
): boolean {
  const refilled = bucket.tokens + ((nowMs - bucket.atMs) * ratePerSecond) / 1000;
  bucket.tokens = Math.min(capacity, refilled);
  bucket.atMs = nowMs;
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}
