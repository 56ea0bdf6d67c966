import type { S3Client } from '@aws-sdk/client-s3';
import { type Dispatcher, Pool } from 'undici';
import { type Clock, limits } from '../base/mod.ts';
import { encodePath, type S3Credentials, S3Signer } from './s3-signature.ts';

/** An answer that is not the object; `name` is S3's error code. */
class S3Refusal extends Error {
  readonly $metadata: { readonly httpStatusCode: number };

  constructor(status: number, body: string) {
    super(/<Message>([^<]*)</.exec(body)?.[1] ?? `status ${status}`);
    this.name = /<Code>([^<]*)</.exec(body)?.[1] ?? 'Error';
    this.$metadata = { httpStatusCode: status };
  }
}

export interface S3GetterOptions {
  /** Knows where the bucket is, and whose the requests are. */
  readonly client: S3Client;
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly clock: Clock;
}

/**
 * GETs objects of a bucket. A start waits for more than a hundred of them: this way one costs a third
 * of the processor time that it takes the SDK (1.7 instead of 5 ms on a busy core).
 */
export class S3Getter {
  readonly #pool: Pool;
  readonly #host: string;
  readonly #base: string;
  readonly #credentials: () => Promise<S3Credentials>;
  readonly #signer: S3Signer;
  readonly #clock: Clock;

  constructor({ client, bucket, region, endpoint, clock }: S3GetterOptions) {
    const { connectMs, answerMs, connections } = limits.origin;
    const { url } = client.config.endpointProvider({
      Bucket: bucket,
      Region: region,
      ...(endpoint !== undefined && { Endpoint: endpoint, ForcePathStyle: true }),
    });
    this.#pool = new Pool(url.origin, {
      connections,
      connect: { timeout: connectMs },
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    });
    this.#host = url.host;
    this.#base = url.pathname.replace(/\/$/, '');
    this.#credentials = () => client.config.credentials();
    this.#signer = new S3Signer(region);
    this.#clock = clock;
  }

  /** Rejects with what `s3Failure` can read, or the signal's reason. */
  async get(key: string, signal?: AbortSignal): Promise<Buffer> {
    const credentials = await this.#credentials();
    signal?.throwIfAborted();
    const path = `${this.#base}/${encodePath(key)}`;
    const headers = this.#signer.headersOf(this.#host, path, credentials, this.#clock.nowMs());
    return await new Promise((resolve, reject) => {
      this.#pool.dispatch(
        { method: 'GET', path, headers },
        new BodyReader({ resolve, reject, signal }),
      );
    });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

/** Puts a body together in one buffer of the announced length, without a stream between. */
class BodyReader implements Dispatcher.DispatchHandler {
  readonly #waiting: Waiting;
  #abort: (() => void) | undefined;
  #status = 0;
  #body: Buffer = Buffer.alloc(0);
  #received = 0;

  constructor(waiting: Waiting) {
    this.#waiting = waiting;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { signal } = this.#waiting;
    if (!signal) return;
    this.#abort = () => controller.abort(signal.reason);
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', this.#abort, { once: true });
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#body = Buffer.allocUnsafeSlow(Number(headers['content-length'] ?? 0));
  }

  onResponseData(_controller: Dispatcher.DispatchController, part: Buffer): void {
    const needed = this.#received + part.length;
    if (needed > this.#body.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#body.length));
      this.#body.copy(grown, 0, 0, this.#received);
      this.#body = grown;
    }
    part.copy(this.#body, this.#received);
    this.#received = needed;
  }

  onResponseEnd(): void {
    this.#settle();
    const body = this.#body.subarray(0, this.#received);
    if (this.#status === 200) this.#waiting.resolve(body);
    else this.#waiting.reject(new S3Refusal(this.#status, body.toString('utf8')));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.#settle();
    this.#waiting.reject(error);
  }

  #settle(): void {
    if (this.#abort) this.#waiting.signal?.removeEventListener('abort', this.#abort);
  }
}
