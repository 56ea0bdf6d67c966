import type { Readable } from 'node:stream';
import { SluiceError } from '../../base/mod.ts';

/** Frees the connection. */
export function discard(body: Readable): void {
  body.on('error', () => {});
  body.destroy();
}

/** The whole body. Throws `IMAGE_MALFORMED` beyond `limitBytes`. */
export async function readLimited(
  body: Readable,
  limitBytes: number,
  where: string,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const bytes of body as AsyncIterable<Buffer>) {
    size += bytes.length;
    if (size > limitBytes) {
      discard(body);
      throw new SluiceError('IMAGE_MALFORMED', `${where}: it has more than ${limitBytes} bytes`);
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

/** Of a token server's answer; undefined when there is none that a header can carry. */
export function readToken(bytes: Buffer): string | undefined {
  try {
    const json = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    const token = json['token'] ?? json['access_token'];
    return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}
