/**
 * Bytes as a string: one character, U+0000 to U+00FF, for each byte. Tar paths, link targets and
 * attribute names are bytes of no known encoding; this keeps them exact and usable as Map keys.
 */
export type ByteString = string;

/** The UTF-8 bytes of `text`. */
export function byteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** For messages: read as UTF-8 where it is, control characters escaped, cut at 200 characters. */
export function printable(bytes: ByteString): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  const escaped = JSON.stringify(text).slice(1, -1);
  return escaped.length > 200 ? `${escaped.slice(0, 200)}…` : escaped;
}
