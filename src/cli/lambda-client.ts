import { readFileSync } from 'node:fs';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { isSluiceError, SluiceError, systemErrorCode } from '../base/mod.ts';
import { dataDirectory, parseCredentials } from '../config/mod.ts';
import { type HttpReply, httpCall } from './http-call.ts';

export type LambdaAnswer = HttpReply;

export const functionsPath = '/2015-03-31/functions';

export function functionPath(name: string, rest = ''): string {
  return `${functionsPath}/${encodeURIComponent(name)}${rest}`;
}

interface RegionAddress {
  readonly endpoint: string;
  readonly region: string;
  /** The file of the certificate that it serves HTTPS with. */
  readonly certificateFile?: string;
}

function readRegionFile<T>(dataPath: string, file: string, parse: (text: string) => T): T {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    if (isSluiceError(cause)) throw cause;
    const text =
      systemErrorCode(cause) === 'ENOENT'
        ? `no region runs here: start one with “sluice up”, or name its directory with --data; ${dataPath} holds none`
        : `${file}: cannot be read; “sluice up” writes it when it starts`;
    throw new SluiceError('CONFIG_INVALID', text, { cause });
  }
}

/** Speaks the Lambda API to the region of a data directory, signed with that region's key. */
export class LambdaClient {
  readonly #address: RegionAddress;
  readonly #signer: SignatureV4;

  constructor(dataPath: string) {
    const data = dataDirectory(dataPath);
    this.#address = readRegionFile(
      data.path,
      data.addressFile,
      (text) => JSON.parse(text) as RegionAddress,
    );
    const [key] = readRegionFile(data.path, data.credentialsFile, (text) =>
      parseCredentials(text, data.credentialsFile),
    );
    this.#signer = new SignatureV4({
      service: 'lambda',
      region: this.#address.region,
      credentials: {
        accessKeyId: key?.accessKeyId ?? '',
        secretAccessKey: key?.secretAccessKey ?? '',
      },
      sha256: Sha256,
    });
  }

  /** One signed request; an answer of 400 and above is thrown with AWS's error type in its data. */
  async call(
    method: string,
    path: string,
    body: Buffer | string = '',
    headers: Record<string, string> = {},
  ): Promise<LambdaAnswer> {
    const url = new URL(path, this.#address.endpoint);
    const signed = await this.#signer.sign({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, host: url.host },
      body,
    });
    const { certificateFile } = this.#address;
    let answer: LambdaAnswer;
    try {
      answer = await httpCall(url, {
        method,
        headers: signed.headers,
        body: Buffer.from(body),
        certificate: certificateFile && readFileSync(certificateFile, 'utf8'),
      });
    } catch (error) {
      throw new SluiceError(
        'REGION_UNREACHABLE',
        `${url.origin}: the region does not answer; is “sluice up” running?`,
        { cause: error },
      );
    }
    if (answer.status >= 400) throw apiError(answer);
    return answer;
  }

  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const answer = await this.call(method, path, text, { 'content-type': 'application/json' });
    return (answer.body.length === 0 ? undefined : JSON.parse(answer.body.toString('utf8'))) as T;
  }
}

function apiError(answer: LambdaAnswer): SluiceError {
  const type = answer.headers.get('x-amzn-errortype') ?? `HTTP ${answer.status}`;
  let message = answer.body.toString('utf8');
  try {
    const body = JSON.parse(message) as { Message?: string; message?: string };
    message = body.Message ?? body.message ?? message;
  } catch {
    // An answer that is not JSON is shown as it is.
  }
  return new SluiceError('API_REFUSED', `${type}: ${message}`, {
    data: { type, status: answer.status },
  });
}
