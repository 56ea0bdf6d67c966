export type { CollectedOrigin } from './collected-origin.ts';
export { type CollectorOptions, GarbageCollector } from './garbage-collector.ts';
export type { CollectorStatus } from './reports.ts';
export { ScheduledCollector } from './scheduled-collector.ts';
