/** The head of one request to the Runtime API. */
export interface CallHead {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** By name in lower case; what was sent more than once is joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** Undefined: chunked. */
  readonly bodyBytes: number | undefined;
  /** The client waits for a word before it sends the body. */
  readonly waitsForContinue: boolean;
  /** The connection ends with the answer. */
  readonly closes: boolean;
}

/** Why a head is not served. */
export type HeadRefusal = 400 | 417 | 501 | 505;

const REQUEST_LINE = /^([A-Z]{1,20}) (\/[\x21-\x7e\x80-\xff]*) HTTP\/(\d\.\d)$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t\x80-\xff]*)$/;
const LENGTH = /^\d{1,15}$/;
/** Where two readers could differ on a second one, a request could be smuggled. */
const ONCE: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding']);

/** Reads `Name: value` into `headers`; false if it is none, or one too many. */
export function readHeader(line: string, headers: Map<string, string>): boolean {
  const match = HEADER.exec(line);
  if (!match) return false;
  const name = match[1]!.toLowerCase();
  const value = match[2]!.trimEnd();
  const before = headers.get(name);
  if (before !== undefined && ONCE.has(name)) return false;
  headers.set(name, before === undefined ? value : `${before}, ${value}`);
  return true;
}

/**
 * Reads a head without its empty line (RFC 9112). Folded lines, bare line feeds, a length beside
 * chunks and other transfer codings are refused, as Node's own parser refuses them.
 */
export function parseCallHead(text: string): CallHead | HeadRefusal {
  const lines = text.split('\r\n');
  const request = REQUEST_LINE.exec(lines[0]!);
  if (!request) return 400;
  const [, method, target, version] = request as unknown as [string, string, string, string];
  if (version !== '1.1' && version !== '1.0') return 505;
  const headers = new Map<string, string>();
  for (let index = 1; index < lines.length; index++) {
    if (!readHeader(lines[index]!, headers)) return 400;
  }
  const isOld = version === '1.0';
  if (!isOld && !headers.has('host')) return 400;
  const length = headers.get('content-length');
  const coding = headers.get('transfer-encoding');
  if (length !== undefined && !LENGTH.test(length)) return 400;
  if (coding !== undefined) {
    if (length !== undefined || isOld) return 400;
    if (coding.toLowerCase() !== 'chunked') return 501;
  }
  const expected = isOld ? undefined : headers.get('expect');
  if (expected !== undefined && expected.toLowerCase() !== '100-continue') return 417;
  const query = target.indexOf('?');
  return {
    method,
    path: query < 0 ? target : target.slice(0, query),
    headers,
    bodyBytes: coding === undefined ? Number(length ?? 0) : undefined,
    waitsForContinue: expected !== undefined,
    closes: isOld || asksToClose(headers.get('connection')),
  };
}

function asksToClose(connection: string | undefined): boolean {
  if (connection === undefined || connection === 'keep-alive') return false;
  return connection.split(',').some((each) => each.trim().toLowerCase() === 'close');
}
