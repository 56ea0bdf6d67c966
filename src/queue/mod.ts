export type { EventPolicy } from './decide.ts';
export { type Destinations, type EventAttempt, type EventFunctions, Poller } from './poller.ts';
export { readEventPattern } from './sources/event-pattern.ts';
export { EventSources } from './sources/event-sources.ts';
export type {
  BatchInvoker,
  MappingBook,
  MessageSource,
  QueueMessage,
  SourceMapping,
} from './sources/types.ts';
export { SqliteEventQueue } from './sqlite-event-queue.ts';
export { StepFollowingEvents } from './step-following-events.ts';
export type { Delivery, EventStore, StoredEvent } from './types.ts';
