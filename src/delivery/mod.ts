export { AsyncEvents } from './async-events.ts';
export type {
  ConfigurerRights,
  EventQueue,
  EventSourceSupport,
  QueueDirectory,
  QueuedEvent,
  TopicDirectory,
} from './events.ts';
export { QueueBatches } from './queue-batches.ts';
export { QueuedInvokes } from './queued-invokes.ts';
export { SnsTopics } from './sns-topics.ts';
export { SqsQueues } from './sqs-queues.ts';
