export { type EventPolicy, type EventResult, lambdaRetryTimes, type RetryTimes } from './decide.ts';
export { MemoryEventQueue } from './memory-event-queue.ts';
export {
  type Destinations,
  type EventAttempt,
  type EventFunctions,
  Poller,
  type PollerOptions,
} from './poller.ts';
export { type EventPattern, readEventPattern } from './sources/event-pattern.ts';
export { EventSources } from './sources/event-sources.ts';
export type {
  BatchInvoker,
  BatchOutcome,
  MappingBook,
  MessageAttribute,
  MessageSource,
  QueueMessage,
  SourceMapping,
} from './sources/types.ts';
export { SqliteEventQueue } from './sqlite-event-queue.ts';
export type {
  AsyncEvent,
  Delivery,
  EndingCondition,
  EventEnding,
  EventProgress,
  EventStore,
  FailedEvent,
  QueueStats,
  StoredEvent,
} from './types.ts';
