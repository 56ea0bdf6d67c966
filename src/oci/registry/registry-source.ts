import { type Clock, isSluiceError, limits, SluiceError, toSluiceError } from '../../base/mod.ts';
import { sha256Digest, verifyDigest } from '../digest.ts';
import type { Descriptor } from '../documents.ts';
import type { ImageSource, ManifestBytes } from '../image-source.ts';
import { indexMediaTypes, manifestMediaTypes } from '../media-types.ts';
import type { RegistryReference } from '../reference.ts';
import { ProgressWatch } from './progress-watch.ts';
import {
  RegistryClient,
  type RegistryClientOptions as RegistryOptions,
  type RegistryResponse,
} from './registry-client.ts';
import { discard } from './response-body.ts';

const ACCEPT_MANIFESTS = [...manifestMediaTypes, ...indexMediaTypes].join(', ');

/** An image in a registry, over the distribution API. */
export class RegistrySource implements ImageSource {
  readonly name: string;
  readonly layersHaveDigests = true;
  readonly #reference: RegistryReference;
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #progress: ProgressWatch;

  private constructor(reference: RegistryReference, client: RegistryClient, clock: Clock) {
    this.name = client.name;
    this.#clock = clock;
    this.#progress = new ProgressWatch(client.name);
    this.#reference = reference;
    this.#client = client;
  }

  static open(reference: RegistryReference, options: RegistryOptions): RegistrySource {
    return new RegistrySource(reference, new RegistryClient(reference, options), options.clock);
  }

  async root(_platform: unknown, signal?: AbortSignal): Promise<ManifestBytes> {
    const { digest, tag } = this.#reference;
    const name = digest ?? tag ?? 'latest';
    const { response, bytes } = await this.#client.document(
      `manifests/${name}`,
      { accept: ACCEPT_MANIFESTS },
      limits.image.manifestBytes,
      signal,
    );
    // What the bytes are is their own digest; `Docker-Content-Digest` may say what it likes.
    if (digest !== undefined) verifyDigest(bytes, digest, `${this.name}: manifest ${name}`);
    return { bytes, digest: digest ?? sha256Digest(bytes), ...mediaTypeOf(response) };
  }

  async manifest(descriptor: Descriptor, signal?: AbortSignal): Promise<ManifestBytes> {
    const { digest, mediaType } = descriptor;
    const { bytes } = await this.#client.document(
      `manifests/${digest}`,
      { accept: ACCEPT_MANIFESTS },
      limits.image.manifestBytes,
      signal,
    );
    verifyDigest(bytes, digest, `${this.name}: manifest`);
    return { bytes, digest, mediaType };
  }

  async config(descriptor: Descriptor, signal?: AbortSignal): Promise<Buffer> {
    const path = `blobs/${descriptor.digest}`;
    const { bytes } = await this.#client.document(path, {}, limits.image.configBytes, signal);
    verifyDigest(bytes, descriptor.digest, `${this.name}: config`);
    return bytes;
  }

  /** Goes on by range where a connection breaks, as long as each attempt brings bytes. */
  async *layer(
    descriptor: Descriptor,
    _index: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer> {
    let position = 0;
    for (let attempt = 1; ; attempt++) {
      const before = position;
      try {
        for await (const bytes of this.#blobFrom(descriptor, position, signal)) {
          position += bytes.length;
          yield bytes;
        }
        if (position >= descriptor.sizeBytes) return;
      } catch (error) {
        signal?.throwIfAborted();
        if (isSluiceError(error)) throw error;
        if (attempt >= limits.registry.attempts && position === before) {
          throw this.#broken(descriptor, error);
        }
      }
      // A few bytes an attempt are no progress: so it would go on for ever.
      if (position - before >= limits.registry.progressBytes) attempt = 1;
      else if (attempt >= limits.registry.attempts) return;
      await this.#clock.sleep(limits.registry.retryDelayMs * 2 ** (attempt - 1), signal);
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async *#blobFrom(
    { digest }: Descriptor,
    position: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const range: Record<string, string> = position > 0 ? { range: `bytes=${position}-` } : {};
    const response = await this.#client.get(`blobs/${digest}`, range, signal);
    if (response.status === 416) {
      discard(response.body);
      return;
    }
    // A registry that ignores ranges sends the blob from its start again.
    let skip = response.status === 206 ? 0 : position;
    for await (const bytes of this.#watched(response.body)) {
      if (skip >= bytes.length) {
        skip -= bytes.length;
        continue;
      }
      yield skip > 0 ? bytes.subarray(skip) : bytes;
      skip = 0;
    }
  }

  async *#watched(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let sinceMs = this.#clock.monotonicMs();
    for await (const bytes of body) {
      this.#progress.note(this.#clock.monotonicMs() - sinceMs, bytes.length);
      yield bytes;
      sinceMs = this.#clock.monotonicMs();
    }
  }

  #broken(descriptor: Descriptor, cause: unknown): SluiceError {
    return new SluiceError(
      'REGISTRY_UNAVAILABLE',
      `${this.name}: layer ${descriptor.digest} broke off (${toSluiceError(cause).message})`,
      { data: { layer: descriptor.digest }, cause },
    );
  }
}

function mediaTypeOf(response: RegistryResponse): { mediaType?: string } {
  const mediaType = response.header('content-type')?.split(';')[0]?.trim();
  return mediaType === undefined || mediaType === '' ? {} : { mediaType };
}
