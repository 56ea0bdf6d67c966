import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { LocalKeyService } from '../origin/mod.ts';
import { KeyReceiver } from '../seal/mod.ts';
import { HeldKeys } from './key-custody.ts';

const mine = { accountId: '111111111111', manifestId: 'm' };
const theirs = { accountId: '222222222222', manifestId: 't' };

function held(t: TestContext, recipients?: number) {
  const directory = join(temporaryDirectory(t, 'keys'), 'keys');
  const keyService = new LocalKeyService(directory, systemClock, systemRandom);
  const options = { keyService, secrets: keyService, random: systemRandom };
  return {
    keyService,
    keys: new HeldKeys({ ...options, ...(recipients !== undefined && { recipients }) }),
  };
}

test('a data key is handed out wrapped and sealed only, and unwraps for its own account', async (t) => {
  const { keys, keyService } = held(t);
  const flattener = new KeyReceiver(systemRandom);
  const made = await keys.generateDataKey(mine, flattener.publicKey);
  assert.deepEqual(Object.keys(made).sort(), ['keyId', 'sealed', 'wrapped']);
  const plaintext = await keyService.unwrapDataKey(made, mine);
  assert.ok(flattener.open(made.sealed, mine).equals(plaintext));
  const agent = new KeyReceiver(systemRandom);
  const sealed = await keys.unwrapDataKey(made, mine, agent.publicKey);
  assert.ok(agent.open(sealed, mine).equals(plaintext));
  const another = { ...mine, accountId: theirs.accountId };
  const denied = { code: 'KEY_DENIED' };
  await assert.rejects(
    keys.unwrapDataKey(made, another, new KeyReceiver(systemRandom).publicKey),
    denied,
  );
});

test('no process gets the data keys of two accounts', async (t) => {
  const { keys } = held(t);
  const agent = new KeyReceiver(systemRandom);
  await keys.generateDataKey(mine, agent.publicKey);
  await keys.generateDataKey({ ...mine, manifestId: 'n' }, agent.publicKey);
  await assert.rejects(keys.generateDataKey(theirs, agent.publicKey), { code: 'KEY_DENIED' });
  const other = new KeyReceiver(systemRandom);
  const made = await keys.generateDataKey(theirs, other.publicKey);
  await assert.rejects(keys.unwrapDataKey(made, theirs, agent.publicKey), { code: 'KEY_DENIED' });
});

test('of recipients, only so many are remembered: the one unused the longest goes first', async (t) => {
  const { keys } = held(t, 2);
  const [a, b, c] = [1, 2, 3].map(() => new KeyReceiver(systemRandom).publicKey);
  for (const recipient of [a, b, a, c])
    await keys.generateDataKey(mine, recipient ?? assert.fail());
  await assert.rejects(keys.generateDataKey(theirs, a ?? assert.fail()), { code: 'KEY_DENIED' });
  await keys.generateDataKey(theirs, b ?? assert.fail());
});
