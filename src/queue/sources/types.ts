/** One message as a queue handed it out; it comes again unless it is removed. */
export interface QueueMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  /** The queue's own: receive count, times, group. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, MessageAttribute>>;
  readonly md5OfMessageAttributes?: string | undefined;
}

export interface MessageAttribute {
  readonly dataType: string;
  readonly stringValue?: string | undefined;
  /** Base64. */
  readonly binaryValue?: string | undefined;
}

/** The queues that mappings read. */
export interface MessageSource {
  /**
   * At most `count` messages, as soon as there is one; none when `waitSeconds` are over. Rejects
   * when the queue cannot be reached, is gone or closed to the account.
   */
  receive(
    queue: { readonly eventSourceArn: string; readonly accountId: string },
    request: { readonly count: number; readonly waitSeconds: number },
    signal: AbortSignal,
  ): Promise<QueueMessage[]>;
  /** Deletes messages for good. Rejects when one of them may not have been deleted. */
  remove(
    queue: { readonly eventSourceArn: string; readonly accountId: string },
    messages: readonly QueueMessage[],
  ): Promise<void>;
}

/** A mapping as its poller needs it. */
export interface SourceMapping {
  readonly uuid: string;
  readonly accountId: string;
  readonly functionName: string;
  readonly qualifier?: string;
  readonly eventSourceArn: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  readonly filters?: readonly string[];
  readonly maximumConcurrency?: number;
  readonly reportsItemFailures: boolean;
  readonly enabled: boolean;
  readonly state: string;
  readonly revision: number;
}

/** The mappings there are, and where they have got to. */
export interface MappingBook {
  all(): Promise<readonly SourceMapping[]>;
  read(uuid: string): Promise<SourceMapping | undefined>;
  /** Tells of each change, also of one made by `settle`. Returns what ends it. */
  watch(listener: (uuid: string) => void): () => void;
  /** The mapping has become what revision `revision` asked for; a newer revision is left alone. */
  settle(uuid: string, revision: number, state: 'Enabled' | 'Disabled' | 'Deleted'): Promise<void>;
}

/** How a batch came out. */
export type BatchOutcome =
  | { readonly kind: 'ok'; readonly payload: Buffer }
  | { readonly kind: 'function-error' }
  /** The function gave no answer: a limit, or a fault of ours. */
  | { readonly kind: 'refused' };

/** Runs a batch as one synchronous invoke. */
export interface BatchInvoker {
  /** Whether the function is there and switched on: without it nothing is received for it. */
  ready(mapping: SourceMapping): Promise<boolean>;
  /** Never rejects for what the function does, nor for a limit that is in its way. */
  invoke(mapping: SourceMapping, payload: Buffer): Promise<BatchOutcome>;
}
