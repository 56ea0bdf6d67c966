/**
 * A bucket in memory, in a process of its own, whose answers wait a latency and then share one
 * bandwidth, and are counted: what an object store beyond a network looks like. It speaks as much
 * of S3 as an origin needs and checks no signature. `startSlowStore` starts it; run by itself
 * (with IPC) it is the store.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Slowness {
  readonly latencyMs: number;
  /** Of all answers together; undefined for as fast as it goes. */
  readonly bytesPerSecond?: number;
}

export interface StoreCounts {
  readonly requests: number;
  readonly bytes: number;
}

export interface SlowStore {
  readonly endpoint: string;
  /** From now on, with counts from zero. */
  slow(slowness: Slowness): Promise<void>;
  counts(): Promise<StoreCounts>;
  /** Answers a key of the bucket from a file, ranges too. */
  show(key: string, file: string): Promise<void>;
  close(): void;
}

interface Shown {
  readonly key: string;
  readonly file: string;
}

type Message = { readonly slowness: Slowness } | { readonly shown: Shown } | 'counts';

export async function startSlowStore(): Promise<SlowStore> {
  const child: ChildProcess = fork(import.meta.filename, ['serve'], { stdio: 'inherit' });
  const ask = async <T>(message?: Message): Promise<T> => {
    const answer = once(child, 'message');
    if (message) child.send(message);
    return (await answer)[0] as T;
  };
  const endpoint = await ask<string>();
  return {
    endpoint,
    slow: (slowness) => ask({ slowness }),
    counts: () => ask('counts'),
    show: (key, file) => ask({ shown: { key, file } }),
    close: () => child.kill(),
  };
}

/** A file's bytes travel in pieces, so that several requests share the line. */
const PIECE_BYTES = 512 * 1024;

class Store {
  slowness: Slowness = { latencyMs: 0 };
  counts = { requests: 0, bytes: 0 };
  readonly #objects = new Map<string, Buffer>();
  readonly #files = new Map<string, string>();
  /** When the shared line is free again. */
  #freeAtMs = 0;

  show({ key, file }: Shown): void {
    this.#files.set(key, file);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const url = new URL(request.url ?? '/', 'http://host');
    const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'));
    this.counts.requests++;
    if (request.method === 'PUT') {
      const taken = request.headers['if-none-match'] === '*' && this.#objects.has(key);
      if (!taken) this.#objects.set(key, Buffer.concat(parts));
      response.writeHead(taken ? 412 : 200, { etag: '"stored"' }).end();
      return;
    }
    const file = this.#files.get(key);
    if (file !== undefined) return await this.#serveFile(file, request, response);
    const body = key === '' ? this.#list(url.searchParams) : this.#objects.get(key);
    const shown = body ?? Buffer.from('<Error><Code>NoSuchKey</Code></Error>');
    await this.#travel(shown.length);
    response.writeHead(body ? 200 : 404, { 'content-length': shown.length }).end(shown);
  }

  async #serveFile(
    path: string,
    { method, headers }: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
      const first = Number(range?.[1] ?? 0);
      const end = range?.[2] ? Number(range[2]) + 1 : size;
      response.writeHead(range ? 206 : 200, {
        'accept-ranges': 'bytes',
        'content-length': end - first,
        ...(range && { 'content-range': `bytes ${first}-${end - 1}/${size}` }),
      });
      if (method === 'HEAD') {
        await this.#travel(0);
        response.end();
        return;
      }
      for (let at = first; at < end; at += PIECE_BYTES) {
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at));
        await file.read(piece, 0, piece.length, at);
        await this.#travel(piece.length, at === first);
        if (!response.write(piece)) await once(response, 'drain');
      }
      response.end();
    } finally {
      await file.close();
    }
  }

  async #travel(bytes: number, isFirst = true): Promise<void> {
    const { latencyMs, bytesPerSecond } = this.slowness;
    this.counts.bytes += bytes;
    if (latencyMs > 0 && isFirst) await sleep(latencyMs);
    if (!bytesPerSecond) return;
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes / bytesPerSecond) * 1000;
    await sleep(this.#freeAtMs - nowMs);
  }

  #list(query: URLSearchParams): Buffer {
    const prefix = query.get('prefix') ?? '';
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    const contents = keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('');
    const whole = '<IsTruncated>false</IsTruncated>';
    return Buffer.from(`<ListBucketResult>${whole}${contents}</ListBucketResult>`);
  }
}

function serve(): void {
  const store = new Store();
  const server = createServer((request, response) => {
    store.serve(request, response).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1', () => {
    process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  process.on('message', (message: Message) => {
    if (message === 'counts') return process.send?.(store.counts);
    if ('shown' in message) {
      store.show(message.shown);
      return process.send?.('done');
    }
    store.slowness = message.slowness;
    store.counts = { requests: 0, bytes: 0 };
    return process.send?.('done');
  });
  process.on('disconnect', () => process.exit());
}

if (process.argv[2] === 'serve' && process.send) serve();
