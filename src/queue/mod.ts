export { type EventPolicy, type EventResult, lambdaRetryTimes, type RetryTimes } from './decide.ts';
export { MemoryEventQueue } from './memory-event-queue.ts';
export {
  type Destinations,
  type EventInvoker,
  type EventPolicies,
  Poller,
  type PollerOptions,
} from './poller.ts';
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
