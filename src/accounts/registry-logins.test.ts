import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { RegistryLogins } from './registry-logins.ts';

const operator = '000000000000';
const tenant = '111111111111';
const other = '222222222222';
const registry = 'registry.example:5000';
const at = (registry: string) => ({ registry, repository: 'team/app' });

function setUp(t: TestContext, shared = false) {
  const directory = join(temporaryDirectory(t), 'registries');
  const operatorFile = join(temporaryDirectory(t), 'config.json');
  const auth = Buffer.from('host:secret').toString('base64');
  writeFileSync(operatorFile, JSON.stringify({ auths: { [registry]: { auth } } }));
  return { directory, logins: new RegistryLogins({ directory, shared, operatorFile }) };
}

test('no account pulls with the credentials of another or of the operator', async (t) => {
  const { logins } = setUp(t);
  await logins.login({ accountId: tenant, registry, username: 'me' }, 'pass:word');
  const mine = { username: 'me', password: 'pass:word' };
  assert.deepEqual(await logins.find(tenant, at(registry)), mine);
  assert.equal(await logins.find(tenant, at('elsewhere.example')), undefined);
  assert.equal(await logins.find(other, at(registry)), undefined);
  assert.equal(await logins.find('../111111111111', at(registry)), undefined);
  const hosts = { username: 'host', password: 'secret' };
  assert.deepEqual(await logins.find(operator, at(registry)), hosts);
  const shared = setUp(t, true).logins;
  assert.deepEqual(await shared.find(other, at(registry)), hosts);
});

test('a login is kept private, listed without its password, and ended', async (t) => {
  const { directory, logins } = setUp(t);
  assert.deepEqual(await logins.list(), []);
  await logins.login({ accountId: tenant, registry, username: 'me' }, 'x');
  await logins.login({ accountId: tenant, registry: 'b.example', username: 'b' }, 'y');
  assert.equal(statSync(join(directory, `${tenant}.json`)).mode & 0o777, 0o600);
  assert.deepEqual(await logins.list(), [
    { accountId: tenant, registry, username: 'me' },
    { accountId: tenant, registry: 'b.example', username: 'b' },
  ]);
  await logins.login({ accountId: tenant, registry: `${registry}/team`, username: 'team' }, 'z');
  const team = { username: 'team', password: 'z' };
  assert.deepEqual(await logins.find(tenant, at(registry)), team);
  assert.equal(await logins.logout(tenant, `${registry}/team`), true);
  assert.equal(await logins.logout(tenant, registry), true);
  assert.equal(await logins.logout(tenant, registry), false);
  assert.equal(await logins.find(tenant, at(registry)), undefined);
});

test('what is no account, no host or no password is refused', async (t) => {
  const { logins } = setUp(t);
  const good = { accountId: tenant, registry, username: 'me' };
  const bad = [{ accountId: '../x' }, { registry: 'https://x' }, { username: 'a:b' }];
  for (const part of bad) {
    const refused = logins.login({ ...good, ...part }, 'x');
    await assert.rejects(refused, (error) => isSluiceError(error, 'USAGE'));
  }
  await assert.rejects(logins.login(good, ''), (error) => isSluiceError(error, 'USAGE'));
});
