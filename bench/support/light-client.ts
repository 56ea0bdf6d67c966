import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { parseCredentials } from '../../src/config/mod.ts';
import type { RunningRegion } from '../../test/support/region.ts';

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) =>
  createHmac('sha256', key).update(data).digest();

/**
 * Invokes one function over one kept-alive connection, one call after the other, with as little
 * CPU as a signed request can cost: what is left of the two cores is the region's. The stock SDK
 * takes about as long for a call as the whole region does.
 */
export class LightClient {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #path: string;
  readonly #body: Buffer;
  readonly #bodyHash: string;
  readonly #accessKeyId: string;
  readonly #key: Buffer;
  readonly #date: string;
  #received = '';
  #waiting: { resolve: (body: string) => void; reject: (error: Error) => void } | undefined;

  constructor(region: RunningRegion, functionName: string, payload: string) {
    const file = region.credentialsFile;
    const [credentials] = parseCredentials(readFileSync(file, 'utf8'), file);
    if (!credentials) throw new Error(`${file}: has no credentials`);
    const { hostname, port, host } = new URL(region.endpoint);
    this.#host = host;
    this.#path = `/2015-03-31/functions/${functionName}/invocations`;
    this.#body = Buffer.from(payload);
    this.#bodyHash = sha256(this.#body);
    this.#accessKeyId = credentials.accessKeyId;
    this.#date = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    const dated = hmac(`AWS4${credentials.secretAccessKey}`, this.#date);
    this.#key = hmac(hmac(hmac(dated, 'us-east-1'), 'lambda'), 'aws4_request');
    this.#socket = connect(Number(port), hostname).setNoDelay(true).setEncoding('latin1');
    this.#socket.on('data', (part) => this.#receive(String(part)));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
    this.#socket.on('close', () => this.#waiting?.reject(new Error('the connection was closed')));
  }

  /** Answers the response's body; rejects for any status but 200. */
  invoke(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting = { resolve, reject };
    this.#socket.write(this.#request());
    return promise;
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #request(): string {
    const time = `${this.#date}T${new Date().toISOString().slice(11, 19).replaceAll(':', '')}Z`;
    const signed = 'host;x-amz-content-sha256;x-amz-date';
    const headers = `host:${this.#host}\nx-amz-content-sha256:${this.#bodyHash}\nx-amz-date:${time}\n`;
    const canonical = `POST\n${this.#path}\n\n${headers}\n${signed}\n${this.#bodyHash}`;
    const scope = `${this.#date}/us-east-1/lambda/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`;
    const signature = hmac(this.#key, text).toString('hex');
    const credential = `${this.#accessKeyId}/${scope}`;
    return (
      `POST ${this.#path} HTTP/1.1\r\nHost: ${this.#host}\r\nX-Amz-Date: ${time}\r\n` +
      `X-Amz-Content-Sha256: ${this.#bodyHash}\r\nAuthorization: AWS4-HMAC-SHA256 ` +
      `Credential=${credential}, SignedHeaders=${signed}, Signature=${signature}\r\n` +
      `Content-Length: ${this.#body.length}\r\n\r\n${this.#body.toString('latin1')}`
    );
  }

  #receive(part: string): void {
    this.#received += part;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    const body = this.#received.slice(end + 4);
    if (body.length < length) return;
    this.#received = '';
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const failed = /^x-amz-function-error/im.test(head) || !head.startsWith('HTTP/1.1 200 ');
    if (failed) waiting?.reject(new Error(`${head}\n${body}`));
    else waiting?.resolve(body);
  }
}
