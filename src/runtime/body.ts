import type { IncomingMessage } from 'node:http';
import type { ResponseSink } from './types.ts';

export type CollectedBody =
  | { readonly kind: 'whole'; readonly body: Buffer }
  | { readonly kind: 'oversize' }
  | { readonly kind: 'truncated' };

/**
 * Reads a request's body into memory. One over the limit is read to its end and dropped, so that
 * the connection stays usable and the answer can be sent.
 */
export function collectBody(request: IncomingMessage, limitBytes: number): Promise<CollectedBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on('end', () => {
      if (sizeBytes > limitBytes) return resolve({ kind: 'oversize' });
      const only = chunks.length === 1 ? chunks[0] : undefined;
      resolve({ kind: 'whole', body: only ?? Buffer.concat(chunks, sizeBytes) });
    });
    // A connection that goes away mid-body ends in `error` and `close` without `end`.
    request.on('error', () => resolve({ kind: 'truncated' }));
    request.on('close', () => resolve({ kind: 'truncated' }));
  });
}

export type StreamedBody =
  | { readonly kind: 'whole'; readonly sizeBytes: number }
  | { readonly kind: 'oversize' }
  | { readonly kind: 'truncated' };

/** Passes a request's body on to `sink` as it comes, no faster than the sink takes it. */
export async function streamBody(
  request: IncomingMessage,
  sink: ResponseSink,
  limitBytes: number,
): Promise<StreamedBody> {
  let sizeBytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) await sink.write(chunk);
    }
  } catch {
    return { kind: 'truncated' };
  }
  return sizeBytes > limitBytes ? { kind: 'oversize' } : { kind: 'whole', sizeBytes };
}
