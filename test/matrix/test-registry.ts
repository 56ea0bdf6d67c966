import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Root } from './document-case.ts';
import type { RawLayout } from './raw-layout.ts';

/** A server of the test's own on a loopback port; answers `host:port`. */
export async function listen(t: TestContext, handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export const bytesOf = (content: Buffer | object): Buffer =>
  Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));

/** A registry of one image: its root document by any tag, everything else by digest. */
export function registryOf(layout: RawLayout, root: Root) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const url = request.url ?? '';
    if (url === '/v2/') return void response.end('{}');
    const name = url.split('/').at(-1) ?? '';
    const isDigest = /^sha256:[0-9a-f]{64}$/.test(name);
    const path = join(layout.directory, 'blobs', 'sha256', name.slice('sha256:'.length));
    if (isDigest ? !existsSync(path) : !url.includes('/manifests/')) {
      return void response.writeHead(404).end();
    }
    const bytes = isDigest ? readFileSync(path) : bytesOf(root.content);
    const type = isDigest ? typeOf(bytes, url) : root.contentType;
    if (type !== undefined) response.setHeader('content-type', type);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from > 0) {
      response.statusCode = from < bytes.length ? 206 : 416;
      response.setHeader('content-range', `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
    }
    const part = bytes.subarray(from);
    response.setHeader('content-length', part.length);
    response.end(request.method === 'HEAD' ? undefined : part);
  };
}

function typeOf(bytes: Buffer, url: string): string | undefined {
  if (!url.includes('/manifests/')) return 'application/octet-stream';
  return JSON.parse(bytes.toString('utf8'))['mediaType'];
}
