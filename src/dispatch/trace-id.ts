import type { IncomingHttpHeaders } from 'node:http';
import type { Random } from '../base/mod.ts';

const traceHeader = /^[A-Za-z0-9=;:,\-_. ?]{1,256}$/;
const PARENT_HEX = 16;

/** The header's `name=value`, in its order; what is no pair is left out. */
function fieldsOf(text: string): Map<string, string> {
  const pairs = text.split(';').map((each) => each.trim().split('='));
  return new Map(
    pairs.flatMap(([name = '', value = '', ...more]) =>
      name !== '' && value !== '' && more.length === 0 ? [[name, value] as const] : [],
    ),
  );
}

/**
 * The X-Ray tracing header of an invoke: the caller's, or a new one that nobody samples. It always has
 * a root, a parent and a decision, without which tracers in the function complain; a caller who leaves
 * the decision open (`Sampled=?`) is not sampled.
 */
export function traceIdOf(
  request: { readonly headers: IncomingHttpHeaders },
  random: Random,
  nowMs: number,
): string {
  const header = request.headers['x-amzn-trace-id'];
  const isGiven = typeof header === 'string' && traceHeader.test(header);
  const { Root, Parent, Sampled, ...rest } = Object.fromEntries(isGiven ? fieldsOf(header) : []);
  const hex = random.uuid().replaceAll('-', '');
  const seconds = Math.floor(nowMs / 1000).toString(16);
  const root = Root ?? `1-${seconds}-${hex.slice(0, 24)}`;
  const parent = Parent ?? random.uuid().replaceAll('-', '').slice(-PARENT_HEX);
  const sampled = Sampled === '1' ? '1' : '0';
  const more = Object.entries(rest).map(([name, value]) => `;${name}=${value}`);
  return `Root=${root};Parent=${parent};Sampled=${sampled}${more.join('')}`;
}
