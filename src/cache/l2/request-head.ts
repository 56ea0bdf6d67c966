/** The head of a request to a cache node. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bodyBytes: number;
  /** The client wants the connection closed after the answer. */
  readonly closes: boolean;
}

const REQUEST_LINE = /^([A-Z]{3,7}) (\/[\x21-\x7e]{0,2047}) HTTP\/1\.1$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*([\x20-\x7e\t\x80-\xff]*)$/;
const LENGTH = /^\d{1,9}$/;

/**
 * Reads a head without its empty line; undefined for whatever is not plainly HTTP/1.1. It is
 * stricter than the protocol (no folded lines, no repeated headers, no transfer codings), since
 * where two readers of one stream may differ is where requests are smuggled.
 */
export function parseRequestHead(text: string): RequestHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const request = REQUEST_LINE.exec(first);
  if (!request) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const match = HEADER.exec(line);
    if (!match) return undefined;
    const name = match[1]!.toLowerCase();
    if (headers.has(name)) return undefined;
    headers.set(name, match[2]!.trimEnd());
  }
  const length = headers.get('content-length');
  if (headers.has('transfer-encoding') || (length !== undefined && !LENGTH.test(length))) {
    return undefined;
  }
  return {
    method: request[1]!,
    path: request[2]!,
    headers,
    bodyBytes: Number(length ?? 0),
    closes: headers.get('connection')?.toLowerCase() === 'close',
  };
}
