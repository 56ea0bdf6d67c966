import { SluiceError } from '../base/mod.ts';
import type { FunctionRecord, VersionRecord } from './records.ts';
import { LATEST } from './records.ts';
import type { FunctionChange } from './store.ts';
import { creating, fingerprint, requireSettled, type Stamp } from './transitions.ts';

/**
 * The version that publishing `$LATEST` makes, or the number of the last one where that is the
 * same. Either way `$LATEST` has a new revision id afterwards.
 */
export function publish(
  record: FunctionRecord,
  description: string | undefined,
  stamp: Stamp,
): FunctionChange & { published: VersionRecord | number } {
  requireSettled(record);
  const print = fingerprint(record.latest);
  const latest = { ...record.latest, revisionId: stamp.newId() };
  const last = record.lastPublished;
  if (last?.fingerprint === print) {
    return { function: { ...record, latest }, published: last.version };
  }
  const published = nextVersionOf(record, description, stamp);
  return {
    function: {
      ...record,
      latest,
      nextVersion: record.nextVersion + 1,
      lastPublished: { version: published.version, fingerprint: print },
    },
    putVersions: [published],
    published,
  };
}

/** As `publish`, for code still being installed: Pending until the same install ends. */
export function publishWithWork(
  record: FunctionRecord,
  description: string | undefined,
  stamp: Stamp,
): FunctionChange & { published: VersionRecord } {
  const { latest } = record;
  if (latest.work === undefined) {
    throw new SluiceError('INTERNAL', `${record.name}: nothing is being installed`);
  }
  const { configuration, source, version, revisionId, lastModifiedMs } = nextVersionOf(
    record,
    description,
    stamp,
  );
  const published: VersionRecord = {
    ...{ version, configuration, source, revisionId, lastModifiedMs },
    state: 'Pending',
    stateReason: creating,
  };
  return {
    function: {
      ...record,
      nextVersion: record.nextVersion + 1,
      latest: { ...latest, work: { ...latest.work, publishAs: published.version } },
    },
    putVersions: [published],
    published,
  };
}

/** Whether a number names a version; `$LATEST` always exists. */
export function versionExists(record: FunctionRecord, version: number): boolean {
  if (version === LATEST) return true;
  return version < record.nextVersion && !record.removedVersions.includes(version);
}

/** The record without a published version; whoever calls has seen that nothing points to it. */
export function removeVersion(record: FunctionRecord, version: number): FunctionChange {
  const { lastPublished, ...rest } = record;
  const { [String(version)]: _, ...runtimeManagement } = record.runtimeManagement ?? {};
  return {
    function: {
      ...rest,
      runtimeManagement,
      ...(lastPublished && lastPublished.version !== version ? { lastPublished } : {}),
      removedVersions: [...record.removedVersions, version],
    },
    removeVersion: version,
  };
}

/** A version published together with an install takes the outcome of it. */
export function settlePublished(
  version: VersionRecord,
  latest: VersionRecord,
  stamp: Stamp,
): VersionRecord {
  const { stateReason: _, ...rest } = version;
  const revisionId = stamp.newId();
  if (latest.lastUpdateStatus !== 'Successful' || latest.code === undefined) {
    const reason = latest.lastUpdateReason ?? {
      text: 'The install failed.',
      code: 'InternalError',
    };
    return { ...rest, state: 'Failed', stateReason: reason, revisionId };
  }
  const { configuration, source } = version;
  return {
    ...rest,
    code: latest.code,
    serving: { servingId: stamp.newId(), configuration, source, code: latest.code },
    state: 'Active',
    lastUpdateStatus: 'Successful',
    revisionId,
  };
}

function nextVersionOf(
  record: FunctionRecord,
  description: string | undefined,
  stamp: Stamp,
): VersionRecord {
  const { latest } = record;
  const configuration =
    description === undefined ? latest.configuration : { ...latest.configuration, description };
  return {
    ...latest,
    version: record.nextVersion,
    configuration,
    ...(latest.serving
      ? { serving: { ...latest.serving, configuration, servingId: stamp.newId() } }
      : {}),
    revisionId: stamp.newId(),
  };
}
