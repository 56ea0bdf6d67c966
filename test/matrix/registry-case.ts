import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ErrorCode } from '../../src/base/mod.ts';
import type { Credentials } from '../../src/oci/mod.ts';

/** What a behaviour is made of. */
export interface RegistryTools {
  /** Answers a registry's requests for the one image as they should be. */
  readonly plain: RequestListener;
  /** The digest of its manifest and of its layer. */
  readonly manifest: string;
  readonly layer: string;
  /** Another server, on a port of its own; answers `host:port`. */
  readonly serve: (handler: RequestListener) => Promise<string>;
  /** Each request of any server of this case: its path, and who asks. */
  readonly seen: readonly { path: string; authorization: string | undefined; port: string }[];
}

/** One way in which a registry behaves. As a `TarCase`, what differs from the judge has a reason. */
export interface RegistryCase {
  readonly name: string;
  readonly start: (tools: RegistryTools) => RequestListener | Promise<RequestListener>;
  /** `/app:latest` unless given. */
  readonly image?: (tools: RegistryTools) => string;
  readonly credentials?: Credentials;
  readonly refuses?: ErrorCode;
  readonly why?: string;
  /** What must be so after ours; throws. `sleepsMs` are the pauses that it made. */
  readonly check?: (tools: RegistryTools, sleepsMs: readonly number[]) => void;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export const isBlob = (request: IncomingMessage): boolean =>
  request.url?.includes('/blobs/') ?? false;
export const isManifest = (request: IncomingMessage): boolean =>
  request.url?.includes('/manifests/') ?? false;
/** The ping with which others begin, and we do not. */
export const isPing = (request: IncomingMessage): boolean => request.url === '/v2/';
