import type { EventSourceMappingStore } from '../records/mod.ts';
import type { MappedFunction } from './queued-invokes.ts';

export interface QueuedEvent {
  readonly accountId: string;
  readonly functionName: string;
  /** As the caller gave it; resolved again at each attempt. */
  readonly qualifier?: string | undefined;
  readonly requestId: string;
  readonly traceId: string;
  /** Of a function that keeps tenants apart. */
  readonly tenantId?: string | undefined;
  readonly payload: Buffer;
  readonly receivedMs: number;
}

/** Where `Event` invokes go: resolves once the event survives a crash, and only then comes 202. */
export interface EventQueue {
  enqueue(event: QueuedEvent): Promise<void>;
}

/** The queues that mappings may name. */
export interface QueueDirectory {
  /**
   * Rejects with `ACCESS_DENIED` for a queue that the account may not read, whether it exists or
   * not, `QUEUE_NOT_FOUND`, `QUEUE_DENIED` and `QUEUE_SERVICE_UNAVAILABLE`.
   */
  describe(queue: {
    readonly eventSourceArn: string;
    readonly accountId: string;
  }): Promise<{ readonly visibilityTimeoutSeconds: number }>;
}

export interface TopicReference {
  readonly topicArn: string;
  /** Who asks. */
  readonly accountId: string;
}

/** The topics that destinations and dead letter queues may name. */
export interface TopicDirectory {
  /**
   * Rejects with `ACCESS_DENIED` for a topic that the account may not use, whether it exists or not,
   * `QUEUE_NOT_FOUND`, `QUEUE_DENIED` and `QUEUE_SERVICE_UNAVAILABLE`.
   */
  describe(topic: TopicReference): Promise<void>;
}

/** All that event source mappings need. */
export interface EventSourceSupport {
  readonly mappings: EventSourceMappingStore;
  /** Without one, creating a mapping is refused. */
  readonly queues?: QueueDirectory | undefined;
}

/** What those who configured destinations may still do. */
export interface ConfigurerRights {
  /** Whether the caller of this ARN may invoke a function of his account, as if he called now. */
  mayInvoke(principalArn: string, target: MappedFunction): Promise<boolean>;
  /** Whether he may send to a queue or topic in the name of this account. */
  maySend(principalArn: string, accountId: string, targetArn: string): Promise<boolean>;
}
