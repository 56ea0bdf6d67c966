/** One invoke as the runtime sees it: the body and the headers of `GET …/invocation/next`. */
export interface RuntimeEvent {
  readonly requestId: string;
  readonly payload: Buffer;
  /** When the function's timeout falls due, milliseconds since the epoch. */
  readonly deadlineEpochMs: number;
  readonly invokedFunctionArn: string;
  readonly traceId?: string | undefined;
  /** JSON text, already decoded from the base64 of `X-Amz-Client-Context`. */
  readonly clientContext?: string | undefined;
  readonly cognitoIdentity?: string | undefined;
  readonly tenantId?: string | undefined;
}

/** Where a streamed response goes while the runtime still sends it. */
export interface ResponseSink {
  /** Called once, before the first byte. */
  begin(contentType: string): void;
  /** A promise means "wait": the runtime is not read from until it settles. */
  write(chunk: Buffer): Promise<void> | undefined;
}

/** How the runtime ended one invoke. */
export type RuntimeOutcome =
  | { readonly kind: 'response'; readonly body: Buffer; readonly contentType: string }
  /** The response went to the sink, whole. */
  | { readonly kind: 'streamed'; readonly sizeBytes: number; readonly contentType: string }
  /** The function failed; `body` is what the runtime posted, byte by byte. */
  | { readonly kind: 'error'; readonly body: Buffer; readonly errorType: string }
  /** An extension cannot go on, and its sandbox with it. */
  | { readonly kind: 'fatal'; readonly body: Buffer; readonly errorType: string }
  | { readonly kind: 'oversize'; readonly limitBytes: number }
  /** `close` was called first. */
  | { readonly kind: 'closed' };

/** Whose sandbox it is, as extensions are told when they register. */
export interface RuntimeIdentity {
  readonly accountId: string;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
}

/** How the runtime ended its init. */
export type InitOutcome =
  | { readonly kind: 'ready' }
  | { readonly kind: 'error'; readonly body: Buffer; readonly errorType: string }
  | { readonly kind: 'closed' };
