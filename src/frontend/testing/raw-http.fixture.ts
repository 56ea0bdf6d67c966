import { connect } from 'node:net';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Credential } from '../../accounts/mod.ts';
import { owner, REGION } from './harness.fixture.ts';

export interface RawRequest {
  readonly method: string;
  /** As it goes over the wire, with the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SignOptions {
  readonly credential?: Credential;
  readonly date?: Date;
  readonly region?: string;
  readonly service?: string;
}

/** The request's headers with the signature that AWS's own signer makes. */
export async function sign(
  request: RawRequest,
  options: SignOptions = {},
): Promise<Record<string, string>> {
  const { credential = owner, date = new Date(), region = REGION, service = 'lambda' } = options;
  const signer = new SignatureV4({ credentials: credential, region, service, sha256: Sha256 });
  const [path = '', query = ''] = request.path.split('?');
  const signed = await signer.sign(
    {
      ...{ method: request.method, protocol: 'http:', hostname: 'localhost', path },
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: { host: 'localhost', ...request.headers },
      body: request.body ?? '',
    },
    { signingDate: date },
  );
  return signed.headers;
}

/**
 * Sends text as it is and reads until the server ends the connection or `enough` is met. Silence is
 * an error after ten seconds, and the end of the exchange after `giveUpMs`.
 */
export function exchange(
  port: number,
  text: string,
  enough: (received: string) => boolean = () => false,
  giveUpMs?: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setTimeout(giveUpMs ?? 10_000, () => {
      const late = new Error(`no answer to ${text.slice(0, 200)}`);
      socket.destroy(giveUpMs === undefined ? late : undefined);
    });
    socket.on('data', (piece) => {
      received += piece.toString('latin1');
      if (enough(received)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

export function formatRequest(request: RawRequest, headers: Record<string, string>): string {
  const length = Buffer.byteLength(request.body ?? '');
  const all = { ...headers, 'content-length': String(length), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${request.path} HTTP/1.1\r\n${lines.join('')}\r\n${request.body ?? ''}`;
}

export function parseResponse(text: string): RawResponse {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const pairs = lines.map((line) => {
    const at = line.indexOf(':');
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  const status = Number(statusLine.split(' ')[1]);
  return { status, headers: Object.fromEntries(pairs), body: rest.join('\r\n\r\n') };
}

/** Signs, sends on a connection of its own, reads the answer. */
export async function call(
  port: number,
  request: RawRequest,
  options: SignOptions = {},
): Promise<RawResponse> {
  const headers = await sign(request, options);
  return parseResponse(await exchange(port, formatRequest(request, headers)));
}
