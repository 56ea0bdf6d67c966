import { X509Certificate } from 'node:crypto';
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';

export interface HttpReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface HttpCall {
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** PEM: over TLS, the server has to be the one with this certificate, whatever its name. */
  readonly certificate?: string | undefined;
}

/** One request and its whole answer. */
export function httpCall(url: URL, call: HttpCall): Promise<HttpReply> {
  const { method, headers, body, certificate } = call;
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const pinned = certificate === undefined ? {} : pinTo(certificate);
    const request = send(url, { method, headers, ...pinned }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const flat = response.rawHeaders;
        const answered = new Headers();
        for (let at = 0; at < flat.length; at += 2) {
          answered.append(flat[at] as string, flat[at + 1] as string);
        }
        const { statusCode: status = 0 } = response;
        resolve({ status, headers: answered, body: Buffer.concat(parts) });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function pinTo(certificate: string): RequestOptions {
  const { fingerprint256 } = new X509Certificate(certificate);
  return {
    ca: certificate,
    allowPartialTrustChain: true,
    checkServerIdentity: (_, presented) =>
      presented.fingerprint256 === fingerprint256
        ? undefined
        : new Error('the server has another certificate than the region'),
  };
}
