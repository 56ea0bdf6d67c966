import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';

export type S3Action = 'get' | 'put' | 'list' | 'delete';

export interface S3Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What this credential may do; everything when left out. */
  readonly allows?: (action: S3Action, key: string) => boolean;
}

/** What one request suffers instead of, or besides, its answer. */
export interface S3Fault {
  readonly latencyMs?: number;
  /** Answers this status, after the request took effect if `late`. */
  readonly status?: number;
  readonly late?: boolean;
  /** Sends half the body and drops the connection. */
  readonly cutShort?: boolean;
  /** Flips a bit of the body. */
  readonly corrupt?: boolean;
  /** Drops the connection without an answer. */
  readonly hangUp?: boolean;
  /** Takes the request and never answers, as a black hole behind a proxy. */
  readonly silent?: boolean;
}

export interface S3Request {
  readonly action: S3Action;
  readonly key: string;
}

interface Answer {
  status: number;
  body?: Buffer;
  headers?: Record<string, string>;
}

const REGION = 'us-east-1';

/**
 * A subset of S3 in this process: one bucket, path-style. Get with ranges, put with
 * `If-None-Match: *`, list (version 2), delete of many; each request's SigV4 signature is verified.
 */
export class S3Server {
  readonly bucket = 'bucket';
  readonly objects = new Map<string, Buffer>();
  readonly requests: S3Request[] = [];
  /** Decides what each request suffers; undefined for nothing. */
  fault: (request: S3Request) => S3Fault | undefined = () => undefined;
  readonly #credentials: readonly S3Credential[];
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => response.destroy(error));
  });

  constructor(credentials: readonly S3Credential[]) {
    this.#credentials = credentials;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const url = new URL(request.url ?? '/', 'http://host');
    const [, bucket = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const action = actionOf(request.method ?? '', url);
    const asked = { action, key };
    this.requests.push(asked);
    const fault = this.fault(asked) ?? {};
    if (fault.latencyMs) await sleep(fault.latencyMs, undefined, { ref: false });
    if (fault.hangUp) return void response.destroy();
    if (fault.silent) return;
    let answer: Answer | undefined;
    if (fault.status === undefined || fault.late) {
      const refusal = await this.#refuse(request, url, body, asked);
      if (refusal) answer = refusal;
      else if (bucket !== this.bucket) answer = failure(404, 'NoSuchBucket');
      else answer = this.#answer(request, url, key, body);
    }
    if (fault.status !== undefined || !answer) answer = failure(fault.status ?? 500, 'Injected');
    send(response, answer, fault);
  }

  /** SigV4 is verified by signing again with the credential that the request names. */
  async #refuse(
    request: IncomingMessage,
    url: URL,
    body: Buffer,
    { action, key }: S3Request,
  ): Promise<Answer | undefined> {
    const authorization = request.headers.authorization ?? '';
    const [, id, scopeDate, signed, signature = ''] =
      /Credential=([^/]+)\/(\d{8})\/.*SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})/.exec(
        authorization,
      ) ?? [];
    const credential = this.#credentials.find((each) => each.accessKeyId === id);
    if (!credential || !signed || !scopeDate) return failure(403, 'InvalidAccessKeyId');
    const claimed = String(request.headers['x-amz-content-sha256']);
    const actual = createHash('sha256').update(body).digest('hex');
    if (claimed !== 'UNSIGNED-PAYLOAD' && claimed !== actual) {
      return failure(400, 'XAmzContentSHA256Mismatch');
    }
    const names = signed.split(';');
    const signer = new SignatureV4({
      credentials: credential,
      region: REGION,
      service: 's3',
      sha256: Sha256,
      uriEscapePath: false,
      applyChecksum: false,
    });
    const date = String(request.headers['x-amz-date']);
    const again = await signer.sign(
      {
        method: request.method ?? '',
        protocol: 'http:',
        hostname: '',
        path: url.pathname,
        query: queryOf(url),
        headers: Object.fromEntries(names.map((name) => [name, String(request.headers[name])])),
        body,
      },
      {
        signingDate: new Date(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')),
        signableHeaders: new Set(names),
      },
    );
    const expected = again.headers['authorization']?.split('Signature=')[1] ?? '';
    const same =
      expected.length === signature.length &&
      timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
    if (!same) return failure(403, 'SignatureDoesNotMatch');
    return credential.allows?.(action, key) === false ? failure(403, 'AccessDenied') : undefined;
  }

  #answer(request: IncomingMessage, url: URL, key: string, body: Buffer): Answer {
    if (request.method === 'GET' && key === '') return this.#list(url.searchParams);
    if (request.method === 'GET') return this.#get(key, request.headers.range);
    if (request.method === 'POST') return this.#deleteMany(body);
    if (request.method !== 'PUT') return failure(405, 'MethodNotAllowed');
    if (request.headers['if-none-match'] === '*' && this.objects.has(key)) {
      return failure(412, 'PreconditionFailed');
    }
    this.objects.set(key, body);
    return { status: 200, headers: { etag: '"stored"' } };
  }

  #get(key: string, range: string | undefined): Answer {
    const object = this.objects.get(key);
    if (!object) return failure(404, 'NoSuchKey');
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    if (from === undefined) return { status: 200, body: object };
    const end = to ? Number(to) + 1 : object.length;
    if (Number(from) >= object.length) return failure(416, 'InvalidRange');
    return { status: 206, body: object.subarray(Number(from), end) };
  }

  #deleteMany(body: Buffer): Answer {
    for (const [, key = ''] of body.toString('utf8').matchAll(/<Key>([^<]*)<\/Key>/g)) {
      this.objects.delete(key);
    }
    return xml(200, '<DeleteResult/>');
  }

  #list(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const most = Number(query.get('max-keys') ?? 1000);
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
    const page = keys.sort().slice(0, most);
    const more = keys.length > page.length;
    const contents = page.map((key) => {
      const size = this.objects.get(key)?.length;
      return `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`;
    });
    const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    const truncated = `<IsTruncated>${more}</IsTruncated>`;
    return xml(200, `<ListBucketResult>${truncated}${next}${contents.join('')}</ListBucketResult>`);
  }
}

function actionOf(method: string, url: URL): S3Action {
  if (method === 'PUT') return 'put';
  if (method === 'POST' || method === 'DELETE') return 'delete';
  return url.searchParams.has('list-type') ? 'list' : 'get';
}

function queryOf(url: URL): Record<string, string> {
  return Object.fromEntries(url.searchParams);
}

function xml(status: number, body: string): Answer {
  return { status, body: Buffer.from(body), headers: { 'content-type': 'application/xml' } };
}

function failure(status: number, code: string): Answer {
  return xml(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

function send(response: ServerResponse, answer: Answer, fault: S3Fault): void {
  let body = answer.body ?? Buffer.alloc(0);
  if (fault.corrupt && body.length > 0) {
    body = Buffer.from(body);
    const middle = body.length >> 1;
    body[middle] = (body[middle] as number) ^ 0x10;
  }
  response.writeHead(answer.status, { 'content-length': body.length, ...answer.headers });
  if (!fault.cutShort) return void response.end(body);
  response.write(body.subarray(0, body.length >> 1), () => response.destroy());
}
