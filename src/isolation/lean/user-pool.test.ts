import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { claimsOf, UserPool } from './user-pool.ts';

test('no two running sandboxes share a user, and a user is reused as late as possible', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100 }),
      fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 60 }),
      (startAt, moves) => {
        const pool = new UserPool({ first: 5000, count: 8 }, startAt);
        const lent: number[] = [];
        for (const move of moves) {
          const [given] = move % 2 ? lent.splice(move % Math.max(1, lent.length), 1) : [];
          if (given !== undefined) pool.release({ uid: given, gid: given });
          else if (lent.length < 8) {
            const { uid, gid } = pool.acquire();
            assert.equal(gid, uid);
            assert.ok(uid >= 5000 && uid < 5008 && !lent.includes(uid));
            lent.push(uid);
          }
        }
      },
    ),
  );
  const pool = new UserPool({ first: 10, count: 3 });
  const first = pool.acquire();
  pool.release(first);
  assert.deepEqual([pool.acquire().uid, pool.acquire().uid, pool.acquire().uid], [11, 12, 10]);
  assert.throws(() => pool.acquire(), { code: 'OVERLOADED' });
});

test('notices who else uses numbers of the range', () => {
  const range = { first: 1000, count: 100 };
  const passwd = 'root:x:0:0::/root:/bin/sh\nann:x:1099:7::/:\nbob:x:1100:7::/:\n\n';
  assert.deepEqual(claimsOf(range, 'passwd', passwd), ['ann:x:1099:7::/:']);
  const subuid = 'ann:0:1000\nbob:900:101\ncarol:1100:65536\n# 1000\n';
  assert.deepEqual(claimsOf(range, 'subuid', subuid), ['bob:900:101']);
});
