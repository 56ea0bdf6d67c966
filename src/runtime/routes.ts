import type { PostTarget } from './state.ts';

/** A call of the Runtime API (contract 2.6). */
export type RuntimeRoute =
  | { readonly kind: 'next' | 'ping' | 'restore-next' | 'init-error' }
  | { readonly kind: 'post'; readonly target: PostTarget; readonly requestId: string };

const invocationPrefix = '/2018-06-01/runtime/invocation/';

const gets: Readonly<Record<string, RuntimeRoute>> = {
  [`${invocationPrefix}next`]: { kind: 'next' },
  '/2018-06-01/ping': { kind: 'ping' },
  '/2018-06-01/runtime/restore/next': { kind: 'restore-next' },
};
const initError: RuntimeRoute = { kind: 'init-error' };

/** Undefined for what is no call of this API; other APIs are served on the same port. */
export function routeOf(method: string, path: string): RuntimeRoute | undefined {
  if (method === 'GET') return Object.hasOwn(gets, path) ? gets[path] : undefined;
  if (method !== 'POST') return undefined;
  if (path === '/2018-06-01/runtime/init/error') return initError;
  if (!path.startsWith(invocationPrefix)) return undefined;
  const [requestId = '', target, rest] = path.slice(invocationPrefix.length).split('/');
  if ((target !== 'response' && target !== 'error') || rest !== undefined) return undefined;
  return { kind: 'post', target, requestId };
}
