export type {
  CollectedAlarm,
  CollectedOrigin,
  CollectedRoot,
  CollectedState,
  LiveManifests,
} from './collected-origin.ts';
export {
  type CollectorOptions,
  type CollectorStatus,
  type DeleteReport,
  type ExpireReport,
  GarbageCollector,
  type ReferencedRoot,
  type RootReport,
  type WaitingRoot,
} from './garbage-collector.ts';
export type { MigrationProgress, MigrationReport } from './migration.ts';
