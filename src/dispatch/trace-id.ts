import type { IncomingHttpHeaders } from 'node:http';
import type { Random } from '../base/mod.ts';

const traceHeader = /^[A-Za-z0-9=;:,\-_. ]{1,256}$/;

/** The caller's trace, or a new one that nobody samples (X-Ray tracing header). */
export function traceIdOf(
  request: { readonly headers: IncomingHttpHeaders },
  random: Random,
  nowMs: number,
): string {
  const given = request.headers['x-amzn-trace-id'];
  if (typeof given === 'string' && traceHeader.test(given)) return given;
  const seconds = Math.floor(nowMs / 1000).toString(16);
  const hex = random.uuid().replaceAll('-', '');
  return `Root=1-${seconds}-${hex.slice(0, 24)};Sampled=0`;
}
