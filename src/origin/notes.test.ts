import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { MemoryObjects } from './memory-objects.ts';
import { notedElsewhere, noteKeeper } from './notes.ts';

const name = 'ab'.repeat(32);

test('a reader leaves alarms and damage in the origin, and nothing else', async (t) => {
  const keep = noteKeeper(temporaryDirectory(t), systemClock, systemRandom);
  const body = Buffer.from('{}');
  await keep(`alarms/root-1/chunk/${name}`, body);
  await keep(`roots/root-1/damaged/${name}`, body);
  for (const key of [
    `roots/root-1/chunks/ab/${name}`,
    'state/root-1/deleted',
    'roots/root-1/manifests/m',
    `alarms/../../state/chunk/${name}`,
    'pins/m',
  ]) {
    await assert.rejects(keep(key, body), { code: 'ACCESS_DENIED' }, key);
  }
  await assert.rejects(keep('alarms/r/chunk/x', Buffer.alloc(1000)), { code: 'ACCESS_DENIED' });
});

test('a store whose notes are kept elsewhere reads, and changes nothing itself', async () => {
  const inner = new MemoryObjects();
  await inner.putIfAbsent('roots/r/x', Buffer.from('there'));
  const noted: string[] = [];
  const objects = notedElsewhere(inner, async (key) => {
    noted.push(key);
  });
  assert.equal((await objects.get('roots/r/x'))?.toString(), 'there');
  await objects.putIfAbsent('alarms/r/chunk/x', Buffer.from('{}'));
  assert.deepEqual(noted, ['alarms/r/chunk/x']);
  assert.equal(await inner.get('alarms/r/chunk/x'), undefined);
  await assert.rejects(objects.replace('roots/r/x', Buffer.from('no')), { code: 'ACCESS_DENIED' });
  await assert.rejects(objects.remove(['roots/r/x']), { code: 'ACCESS_DENIED' });
});
