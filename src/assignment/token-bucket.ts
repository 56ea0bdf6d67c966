/**
 * Tokens that come back at a constant rate, up to a capacity. It holds what is taken, not what is
 * left, so that it starts full whatever its capacity will be.
 */
export interface TokenBucket {
  taken: number;
  atMs: number;
}

export function fullBucket(nowMs: number): TokenBucket {
  return { taken: 0, atMs: nowMs };
}

/**
 * Takes one token if there is one. Capacity and rate may differ from call to call; what is left is
 * never less than nothing and never more than the capacity, whatever the clock did.
 */
export function takeToken(
  bucket: TokenBucket,
  capacity: number,
  ratePerSecond: number,
  nowMs: number,
): boolean {
  const refill = (Math.max(0, nowMs - bucket.atMs) * ratePerSecond) / 1000;
  bucket.taken = Math.min(capacity, Math.max(0, bucket.taken - refill));
  bucket.atMs = nowMs;
  if (bucket.taken > capacity - 1) return false;
  bucket.taken++;
  return true;
}

export function giveBack(bucket: TokenBucket): void {
  bucket.taken = Math.max(0, bucket.taken - 1);
}
