import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeanRemains } from './lean-remains.ts';
import type { ScratchDisks } from './scratch-disks.ts';
import { UserPool } from './user-pool.ts';

test('what is discarded while its disk is made leaves neither disk nor user', async () => {
  const users = new UserPool({ first: 100_000, count: 1 });
  const made = Promise.withResolvers<string>();
  const removed: string[] = [];
  const disks = {
    create: () => made.promise,
    remove: async (path: string) => void removed.push(path),
  };
  const remains = new LeanRemains(users, disks as unknown as ScratchDisks, 4096);
  const late = remains.tmp();
  const discarded = remains.discard();
  made.resolve('/scratch/1');
  await Promise.all([late, discarded]);
  assert.deepEqual(removed, ['/scratch/1']);
  await assert.rejects(remains.tmp(), { code: 'CANCELLED' });
  assert.equal(users.acquire().uid, 100_000);
});

test('a disk that could not be made is nothing to remove', async () => {
  const users = new UserPool({ first: 100_000, count: 1 });
  const disks = {
    create: () => Promise.reject(new Error('no room')),
    remove: () => assert.fail('there is none'),
  };
  const remains = new LeanRemains(users, disks as unknown as ScratchDisks, 4096);
  await assert.rejects(remains.tmp(), /no room/);
  await remains.discard();
});
