import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { publish, publishWithWork, settlePublished } from './published-versions.ts';
import type { FunctionRecord } from './records.ts';
import { sampleCode, sampleConfiguration, sampleFunction, sampleStamp } from './samples.fixture.ts';
import { beginUpdate, installFailed, installSucceeded } from './transitions.ts';

const key = { accountId: '111111111111', name: 'f' };
const reason = { text: 'no such image', code: 'InvalidImage' };
const workOf = (record: FunctionRecord) => record.latest.work!.id;
const newImage = { kind: 'image', imageUri: 'localhost:5000/i:2' } as const;

function active(): FunctionRecord {
  const created = sampleFunction(key);
  return installSucceeded(created, workOf(created), sampleCode, sampleStamp())!;
}

test('create: Pending, then Active with a new revision', () => {
  const created = sampleFunction(key);
  assert.equal(created.latest.state, 'Pending');
  assert.equal(created.latest.stateReason?.code, 'Creating');
  assert.equal(created.latest.serving, undefined);
  const done = installSucceeded(created, workOf(created), sampleCode, sampleStamp())!;
  assert.equal(done.latest.state, 'Active');
  assert.equal(done.latest.lastUpdateStatus, 'Successful');
  assert.equal(done.latest.stateReason, undefined);
  assert.equal(done.latest.work, undefined);
  assert.notEqual(done.latest.revisionId, created.latest.revisionId);
  assert.deepEqual(done.latest.serving?.code, sampleCode);
});

test('create that fails: Failed with the reason, nothing serves; an update may repair it', () => {
  const created = sampleFunction(key);
  const failed = installFailed(created, workOf(created), reason, sampleStamp())!;
  assert.equal(failed.latest.state, 'Failed');
  assert.deepEqual(failed.latest.stateReason, reason);
  assert.equal(failed.latest.serving, undefined);
  const updating = beginUpdate(failed, { source: newImage }, sampleStamp());
  const mended = installSucceeded(updating, workOf(updating), sampleCode, sampleStamp())!;
  assert.equal(mended.latest.state, 'Active');
  assert.equal(mended.latest.stateReason, undefined);
});

test('update: the old code serves until the new one is installed', () => {
  const before = active();
  const updating = beginUpdate(before, { source: newImage }, sampleStamp());
  assert.equal(updating.latest.lastUpdateStatus, 'InProgress');
  assert.equal(updating.latest.state, 'Active');
  assert.deepEqual(updating.latest.serving, before.latest.serving);
  assert.equal(updating.latest.code, undefined);
  const code = { ...sampleCode, manifestId: 'm2' };
  const after = installSucceeded(updating, workOf(updating), code, sampleStamp())!;
  assert.equal(after.latest.serving?.code.manifestId, 'm2');
  assert.notEqual(after.latest.serving?.servingId, before.latest.serving?.servingId);
  const revisions = [before, updating, after].map((each) => each.latest.revisionId);
  assert.equal(new Set(revisions).size, 3);
});

test('update that fails: what served is shown again and goes on', () => {
  const before = active();
  const configuration = { ...sampleConfiguration, memoryMb: 512 };
  const updating = beginUpdate(before, { source: newImage, configuration }, sampleStamp());
  const failed = installFailed(updating, workOf(updating), reason, sampleStamp())!;
  assert.equal(failed.latest.state, 'Active');
  assert.equal(failed.latest.lastUpdateStatus, 'Failed');
  assert.deepEqual(failed.latest.lastUpdateReason, reason);
  assert.deepEqual(failed.latest.configuration, sampleConfiguration);
  assert.deepEqual(failed.latest.source, before.latest.source);
  assert.deepEqual(failed.latest.serving, before.latest.serving);
});

test('an outcome of work that is no longer the current one changes nothing', () => {
  const before = active();
  const updating = beginUpdate(before, { source: newImage }, sampleStamp());
  assert.equal(installSucceeded(updating, 'other', sampleCode, sampleStamp()), undefined);
  assert.equal(installFailed(updating, 'other', reason, sampleStamp()), undefined);
  assert.equal(installSucceeded(before, 'other', sampleCode, sampleStamp()), undefined);
});

test('an update waits for none before it, and for a right revision', () => {
  const busy = (error: unknown) => isSluiceError(error, 'FUNCTION_BUSY');
  const update = (record: FunctionRecord) => () =>
    beginUpdate(record, { source: newImage }, sampleStamp());
  assert.throws(update(sampleFunction(key)), busy);
  assert.throws(update(update(active())()), busy);
  assert.throws(
    () => beginUpdate(active(), { source: newImage, revisionId: 'stale' }, sampleStamp()),
    (error) => isSluiceError(error, 'REVISION_MISMATCH'),
  );
});

test('publish: a new number for a change, the same number for none', () => {
  const first = publish(active(), 'one', sampleStamp());
  assert.equal(first.putVersions?.[0]?.configuration.description, 'one');
  assert.equal(first.function.nextVersion, 2);
  const again = publish(first.function, 'two', sampleStamp());
  assert.equal(again.published, 1);
  assert.equal(again.putVersions, undefined);
  const configuration = { ...sampleConfiguration, memoryMb: 512 };
  const updating = beginUpdate(first.function, { configuration }, sampleStamp());
  const updated = installSucceeded(updating, workOf(updating), sampleCode, sampleStamp())!;
  assert.equal(publish(updated, undefined, sampleStamp()).putVersions?.[0]?.version, 2);
});

test('a version published with an install shares its outcome', () => {
  const created = publishWithWork(sampleFunction(key), undefined, sampleStamp());
  assert.equal(created.published.state, 'Pending');
  const id = workOf(created.function);
  const done = installSucceeded(created.function, id, sampleCode, sampleStamp())!;
  const settled = settlePublished(created.published, done.latest, sampleStamp());
  assert.equal(settled.state, 'Active');
  assert.deepEqual(settled.serving?.code, sampleCode);
  const failed = installFailed(created.function, id, reason, sampleStamp())!;
  assert.equal(settlePublished(created.published, failed.latest, sampleStamp()).state, 'Failed');
});
