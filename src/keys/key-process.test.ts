import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { childrenOf } from '../../test/support/process-memory.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { ensureDataDirectory } from '../config/mod.ts';
import { Jails } from '../isolation/mod.ts';
import { LocalKeyService } from '../origin/mod.ts';
import { chunkSalt, KeyReceiver } from '../seal/mod.ts';
import { KeyProcess } from './key-process.ts';

const context = { accountId: '111111111111', manifestId: 'm' };

function keyProcess(t: TestContext) {
  const data = ensureDataDirectory(join(temporaryDirectory(t, 'key-process'), 'data'));
  const jails = new Jails({ random: systemRandom });
  const settings = { kind: 'local' } as const;
  const keys = new KeyProcess({ jails, data, settings, clock: systemClock });
  t.after(() => keys.close());
  const files = new LocalKeyService(data.keys, systemClock, systemRandom);
  return { data, jails, keys, files };
}

const children = () => childrenOf(process.pid, 'key-main');

test('a key process makes, seals and unwraps data keys, salts and digests', async (t) => {
  if (!hostHas(t, 'namespaces')) return;
  const { keys, files } = keyProcess(t);
  const agent = new KeyReceiver(systemRandom);
  const made = await keys.generateDataKey(context, agent.publicKey);
  const plaintext = await files.unwrapDataKey(made, context);
  assert.ok(agent.open(made.sealed, context).equals(plaintext));
  const sealed = await keys.unwrapDataKey(made, context, agent.publicKey);
  assert.ok(agent.open(sealed, context).equals(plaintext));
  const parts = { rootId: 'r', epoch: 0, scope: 'region', placement: '' } as const;
  assert.ok((await keys.chunkSalt(parts)).equals(chunkSalt(await files.dedupSecret(), parts)));
  const names = ['master.key', 'dedup.secret'] as const;
  assert.deepEqual(await keys.verifySecrets(names, {}), await files.verifySecrets(names, {}));
  await files.setKeyState(made.keyId, 'disabled');
  await assert.rejects(keys.unwrapDataKey(made, context, agent.publicKey), {
    code: 'KEY_DISABLED',
    data: { keyId: made.keyId, accountId: context.accountId },
  });
});

test('a key process that died is started again by the next question', async (t) => {
  if (!hostHas(t, 'namespaces')) return;
  const { keys } = keyProcess(t);
  const { publicKey } = new KeyReceiver(systemRandom);
  await keys.generateDataKey(context, publicKey);
  const [pid] = children();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  await until('its end is known', () => children().length === 0);
  await until('it serves again', () =>
    keys.generateDataKey(context, publicKey).then(
      () => true,
      (error: { code: string }) => assert.equal(error.code, 'KEY_SERVICE_UNAVAILABLE') ?? false,
    ),
  );
  await keys.close();
  assert.deepEqual(children(), []);
});

test('a key process has no rights, no network, and of the region only its keys', async (t) => {
  if (!hostHas(t, 'root')) return;
  const { data, keys } = keyProcess(t);
  await keys.generateDataKey(context, new KeyReceiver(systemRandom).publicKey);
  const [pid] = children();
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.match(status, new RegExp(`^${set}:\\s+0{16}$`, 'm'), set);
  }
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(status, /^Seccomp:\s+2$/m);
  assert.doesNotMatch(status, /^Uid:\s+0\b/m);
  const root = `/proc/${pid}/root`;
  assert.ok(readdirSync(join(root, data.keys)).includes('master.key'));
  assert.deepEqual(readdirSync(join(root, data.path)), ['cache', 'keys'].slice(-1));
  const links = readFileSync(`/proc/${pid}/net/dev`, 'utf8').match(/^\s*(\S+):/gm);
  assert.deepEqual(
    links?.map((line) => line.trim()),
    ['lo:'],
  );
});
