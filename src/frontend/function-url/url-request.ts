import type { IncomingMessage } from 'node:http';

/** A request to a function's URL: which one, and the path as the function sees it. */
export interface UrlRequest {
  readonly urlId: string;
  readonly rawPath: string;
  readonly rawQuery: string;
}

const hostForm = /^([a-z0-9]{32})\.lambda-url\./;
const pathForm = /^\/lambda-url\/([a-z0-9]{32})(\/.*)?$/;

/** As functions are given it: slashes folded, decoded once; what is no encoding stays as it came. */
function seenPath(path: string): string {
  const folded = path.replace(/\/{2,}/g, '/');
  try {
    return decodeURIComponent(folded);
  } catch {
    return folded;
  }
}

/**
 * Recognises a function URL by its host, `<id>.lambda-url.<region>.<domain>`, or, where names do
 * not resolve, by its path, `/lambda-url/<id>/…`.
 */
export function readUrlRequest(request: IncomingMessage): UrlRequest | undefined {
  const url = request.url ?? '/';
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const rawQuery = at < 0 ? '' : url.slice(at + 1);
  const byHost = hostForm.exec(request.headers.host ?? '');
  if (byHost?.[1]) return { urlId: byHost[1], rawPath: seenPath(path), rawQuery };
  const byPath = pathForm.exec(path);
  if (byPath?.[1]) return { urlId: byPath[1], rawPath: seenPath(byPath[2] ?? '/'), rawQuery };
  return undefined;
}
