import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/mod.ts';
import { KeyReceiver, sealKeyFor } from './sealed-key.ts';

const random = new SeededRandom(3);
const context = { accountId: '111111111111', manifestId: 'm' };
const dataKey = random.bytes(32);

test('a sealed key opens for its recipient, its manifest and its account, and nobody else', () => {
  const [mine, other] = [new KeyReceiver(random), new KeyReceiver(random)];
  const sealed = sealKeyFor(mine.publicKey, dataKey, context, random);
  assert.ok(mine.open(sealed, context).equals(dataKey));
  assert.ok(!sealed.includes(dataKey));
  const denied = { code: 'KEY_DENIED' };
  assert.throws(() => other.open(sealed, context), denied);
  assert.throws(() => mine.open(sealed, { ...context, manifestId: 'n' }), denied);
  assert.throws(() => mine.open(sealed, { ...context, accountId: '222222222222' }), denied);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => mine.open(changed, context), denied, `byte ${at}`);
  }
  assert.throws(() => mine.open(sealed.subarray(0, -1), context), denied);
});

test('the same key is sealed to other bytes each time', () => {
  const { publicKey } = new KeyReceiver(random);
  const [one, two] = [1, 2].map(() => sealKeyFor(publicKey, dataKey, context, random));
  assert.ok(!one?.subarray(1, 33).equals(two?.subarray(1, 33) ?? Buffer.of()));
});

test('nothing is sealed for what is no public key', () => {
  for (const wrong of [Buffer.alloc(32), Buffer.alloc(0), Buffer.alloc(31, 9)]) {
    assert.throws(() => sealKeyFor(wrong, dataKey, context, random), { code: 'KEY_DENIED' });
  }
});
