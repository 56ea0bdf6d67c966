import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a proxy on this host adds for a caller that is elsewhere. */
const proxied = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

const loopback = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;

const digest = (text: string) => createHash('sha256').update(text).digest();

/**
 * Metrics name accounts' load, which is not for everybody who may call the API: they are for
 * callers on this host, and for those with the token.
 */
export function mayReadMetrics(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  token: string | undefined,
): boolean {
  const isNear = loopback.test(socket.remoteAddress ?? '');
  if (isNear && !proxied.some((name) => headers[name] !== undefined)) return true;
  return token !== undefined && hasToken({ headers }, token);
}

/** Whether a request has the token, as bearer token. */
export function hasToken({ headers }: Pick<IncomingMessage, 'headers'>, token: string): boolean {
  const given = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}
