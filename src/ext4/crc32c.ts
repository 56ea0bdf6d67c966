const POLYNOMIAL = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1 ? POLYNOMIAL : 0) ^ (value >>> 1);
  return value;
});

/** CRC-32C (Castagnoli) as the kernel's `crc32c`: it goes on from `seed`, and inverts nothing. */
export function crc32c(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}
