import { SluiceError } from '../base/mod.ts';
import type {
  CodeSource,
  FunctionConfiguration,
  FunctionRecord,
  InstalledCode,
  StateReason,
  VersionRecord,
} from './records.ts';
import { LATEST } from './records.ts';

/** Time and identity of a transition, handed in so that transitions stay pure. */
export interface Stamp {
  readonly nowMs: number;
  readonly newId: () => string;
}

export const creating: StateReason = { text: 'The function is being created.', code: 'Creating' };

/** A new function: Pending until its code is installed. */
export function newFunction(
  key: { accountId: string; name: string },
  configuration: FunctionConfiguration,
  source: CodeSource,
  stamp: Stamp,
): FunctionRecord {
  return {
    ...key,
    latest: {
      version: LATEST,
      configuration,
      source,
      state: 'Pending',
      stateReason: creating,
      revisionId: stamp.newId(),
      lastModifiedMs: stamp.nowMs,
      work: { id: stamp.newId(), kind: 'create' },
    },
    nextVersion: 1,
    removedVersions: [],
    tags: {},
    aliases: {},
    policies: {},
    eventInvokeConfigs: {},
    provisionedConcurrency: {},
    urls: {},
  };
}

/** Rejects with `REVISION_MISMATCH` when the caller's view of the version is out of date. */
export function requireRevision(current: { revisionId: string }, expected: string | undefined) {
  if (expected === undefined || expected === current.revisionId) return;
  throw new SluiceError('REVISION_MISMATCH', `${expected}: not the latest revision id`);
}

/** Rejects with `FUNCTION_BUSY` while a create or an update is under way. */
export function requireSettled(record: FunctionRecord): void {
  const { latest } = record;
  if (latest.state === 'Pending') {
    throw new SluiceError('FUNCTION_BUSY', `${record.name}: the function is Pending`, {
      data: { state: 'Pending' },
    });
  }
  if (latest.lastUpdateStatus === 'InProgress') {
    throw new SluiceError('FUNCTION_BUSY', `${record.name}: an update is in progress`, {
      data: { state: 'InProgress' },
    });
  }
}

/**
 * Starts an update: the API shows the new configuration and source at once, invokes go on with
 * what served before until `installSucceeded`.
 */
export function beginUpdate(
  record: FunctionRecord,
  update: { configuration?: FunctionConfiguration; source?: CodeSource; revisionId?: string },
  stamp: Stamp,
): FunctionRecord {
  requireSettled(record);
  requireRevision(record.latest, update.revisionId);
  const { code, lastUpdateReason: _, ...rest } = record.latest;
  return {
    ...record,
    latest: {
      ...rest,
      configuration: update.configuration ?? rest.configuration,
      source: update.source ?? rest.source,
      ...(update.source === undefined && code !== undefined ? { code } : {}),
      lastUpdateStatus: 'InProgress',
      lastUpdateReason: creating,
      revisionId: stamp.newId(),
      lastModifiedMs: stamp.nowMs,
      work: { id: stamp.newId(), kind: 'update' },
    },
  };
}

/** The code is installed: it serves from now on. Undefined when the work is not the current one. */
export function installSucceeded(
  record: FunctionRecord,
  workId: string,
  code: InstalledCode,
  stamp: Stamp,
): FunctionRecord | undefined {
  const { work, stateReason: _, lastUpdateReason: __, ...rest } = record.latest;
  if (work?.id !== workId) return undefined;
  const { configuration, source } = rest;
  const latest: VersionRecord = {
    ...rest,
    code,
    serving: { servingId: stamp.newId(), configuration, source, code },
    state: 'Active',
    lastUpdateStatus: 'Successful',
    revisionId: stamp.newId(),
  };
  if (work.publishAs === undefined) return { ...record, latest };
  const lastPublished = { version: work.publishAs, fingerprint: fingerprint(latest) };
  return { ...record, latest, lastPublished };
}

/**
 * The install failed. A function that served goes on with what it had, and shows that again; one
 * that never did is Failed. Undefined when the work is not the current one.
 */
export function installFailed(
  record: FunctionRecord,
  workId: string,
  reason: StateReason,
  stamp: Stamp,
): FunctionRecord | undefined {
  const { work, lastUpdateReason: _, ...rest } = record.latest;
  if (work?.id !== workId) return undefined;
  const failed = {
    ...rest,
    lastUpdateStatus: 'Failed' as const,
    lastUpdateReason: reason,
    revisionId: stamp.newId(),
  };
  if (rest.serving === undefined) {
    return { ...record, latest: { ...failed, state: 'Failed', stateReason: reason } };
  }
  const { configuration, source, code } = rest.serving;
  return { ...record, latest: { ...failed, configuration, source, code } };
}

/** Two versions with equal fingerprints run the same code in the same way. */
export function fingerprint(version: VersionRecord): string {
  return JSON.stringify([version.code?.codeSha256 ?? version.source, version.configuration]);
}

/**
 * What the function takes out of its account's shared concurrency: its reservation, else what it
 * has provisioned.
 */
export function concurrencySetAside(record: FunctionRecord): number {
  return record.reservedConcurrency ?? concurrencyProvisioned(record);
}

export function concurrencyProvisioned(record: FunctionRecord): number {
  const all = Object.values(record.provisionedConcurrency);
  return all.reduce((sum, each) => sum + each.requested, 0);
}
