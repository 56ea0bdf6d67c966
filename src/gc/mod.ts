export type {
  CollectedAlarm,
  CollectedOrigin,
  CollectedRoot,
  CollectedState,
  LiveManifests,
} from './collected-origin.ts';
export { type CollectorOptions, GarbageCollector } from './garbage-collector.ts';
export type { MigrationProgress, MigrationReport } from './migration.ts';
export type {
  CollectorStatus,
  DeleteReport,
  ExpireReport,
  ReferencedRoot,
  RootReport,
  WaitingRoot,
} from './reports.ts';
export { ScheduledCollector } from './scheduled-collector.ts';
