import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { KeyService } from '../../seal/mod.ts';

/** A key service under test, with two accounts, and what an operator can do to their keys. */
export interface TestedKeys {
  readonly service: KeyService;
  readonly accounts: readonly [string, string];
  rotate(accountId: string): Promise<void>;
  /** Left out where an imitation goes on with keys that are disabled. */
  disable?(keyId: string): Promise<void>;
}

/** What every key service must do; `open` answers a fresh one, or undefined to skip. */
export function keyServiceConformance(
  name: string,
  open: (t: TestContext) => Promise<TestedKeys | undefined>,
): void {
  const check = (what: string, body: (keys: TestedKeys) => Promise<void>): void => {
    test(`${name}: ${what}`, async (t) => {
      const keys = await open(t);
      if (keys) await body(keys);
    });
  };
  const manifestId = 'manifest-1';

  check('gives each data key once and unwraps it again', async ({ service, accounts }) => {
    const context = { accountId: accounts[0], manifestId };
    const first = await service.generateDataKey(context);
    const second = await service.generateDataKey(context);
    assert.equal(first.plaintext.length, 32);
    assert.ok(!first.plaintext.equals(second.plaintext));
    assert.ok(!first.wrapped.includes(first.plaintext));
    assert.deepEqual(await service.unwrapDataKey(first, context), first.plaintext);
    assert.deepEqual(await service.unwrapDataKey(second, context), second.plaintext);
  });

  check('unwraps for no other account and no other manifest', async ({ service, accounts }) => {
    const context = { accountId: accounts[0], manifestId };
    const key = await service.generateDataKey(context);
    await service.generateDataKey({ accountId: accounts[1], manifestId });
    for (const other of [
      { accountId: accounts[1], manifestId },
      { accountId: accounts[0], manifestId: 'manifest-2' },
    ]) {
      await assert.rejects(service.unwrapDataKey(key, other), { code: 'KEY_DENIED' });
      await assert.rejects(service.rewrapDataKey(key, other), { code: 'KEY_DENIED' });
    }
    const damaged = Buffer.from(key.wrapped);
    damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;
    const forged = { keyId: key.keyId, wrapped: damaged };
    await assert.rejects(service.unwrapDataKey(forged, context), { code: 'KEY_DENIED' });
  });

  check('rotation wraps anew and still unwraps what was wrapped before', async (keys) => {
    const { service, accounts } = keys;
    const context = { accountId: accounts[0], manifestId };
    const before = await service.generateDataKey(context);
    await keys.rotate(accounts[0]);
    const after = await service.rewrapDataKey(before, context);
    assert.notEqual(after.keyId, before.keyId);
    assert.deepEqual(await service.unwrapDataKey(after, context), before.plaintext);
    assert.deepEqual(await service.unwrapDataKey(before, context), before.plaintext);
    assert.equal((await service.generateDataKey(context)).keyId, after.keyId);
  });

  check('an unknown key is refused', async ({ service, accounts }) => {
    const context = { accountId: accounts[0], manifestId };
    const key = await service.generateDataKey(context);
    const unknown = { ...key, keyId: `${key.keyId}9` };
    await assert.rejects(service.unwrapDataKey(unknown, context), { code: 'KEY_NOT_FOUND' });
  });

  check('a disabled key is refused by name', async ({ service, accounts, disable }) => {
    if (!disable) return;
    const context = { accountId: accounts[0], manifestId };
    const key = await service.generateDataKey(context);
    await disable(key.keyId);
    const isNamed = (error: { code: string; message: string }) =>
      error.code === 'KEY_DISABLED' && error.message.startsWith(key.keyId);
    await assert.rejects(service.unwrapDataKey(key, context), isNamed);
    await assert.rejects(service.generateDataKey(context), isNamed);
  });
}
