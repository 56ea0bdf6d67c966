import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { isSluiceError, systemClock } from '../../base/mod.ts';
import { parseImageReference } from '../reference.ts';
import { findCredentials, registryAuthFiles } from './auth-file.ts';
import { runCredentialHelper } from './credential-helper.ts';

const basic = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
const of = (username: string, password: string) => ({ username, password });

function repositoryOf(image: string) {
  const reference = parseImageReference(image);
  assert.ok(reference.kind === 'registry');
  return reference;
}

async function found(t: TestContext, file: object, image: string) {
  const path = join(temporaryDirectory(t, 'auth'), 'auth.json');
  writeFileSync(path, JSON.stringify(file));
  return findCredentials(repositoryOf(image), [path], systemClock);
}

const auths = {
  'reg.example': basic('host:1'),
  'reg.example/q': basic('q:2'),
  'reg.example/q/deep/': basic('deep:3'),
  'https://other.example:5000/v2/': basic('other:4'),
  'https://index.docker.io/v1/': basic('hub:5'),
  'docker.io/team': basic('team:6'),
  'nul.example': basic('nul:7\0'),
  'line.example': basic('line:8\r\n'),
  'colon.example': basic('colon:9:9'),
  'token.example': { auth: 'x', identitytoken: 'refresh' },
  'plain.example': { username: 'plain', password: '10' },
  'empty.example': {},
  'broken.example': { auth: Buffer.from('no colon').toString('base64') },
};

test('the entry with the longest path wins', async (t) => {
  const cases: [string, object | undefined][] = [
    ['reg.example/app', of('host', '1')],
    ['reg.example/q', of('q', '2')],
    ['reg.example/q/app', of('q', '2')],
    ['reg.example/q/deep/app', of('deep', '3')],
    ['reg.example/question', of('host', '1')],
    ['reg.example:5000/q', undefined],
    ['other.example:5000/a/b', of('other', '4')],
    ['alpine', of('hub', '5')],
    ['docker.io/someone/app', of('hub', '5')],
    ['docker.io/team/app', of('team', '6')],
    ['nul.example/app', of('nul', '7')],
    ['line.example/app', of('line', '8')],
    ['colon.example/app', of('colon', '9:9')],
    ['token.example/app', { identityToken: 'refresh' }],
    ['plain.example/app', of('plain', '10')],
    ['empty.example/app', undefined],
    ['broken.example/app', undefined],
    ['nobody.example/app', undefined],
  ];
  for (const [image, expected] of cases) {
    assert.deepEqual(await found(t, { auths }, image), expected, image);
  }
});

test('files are looked for where skopeo, podman and docker keep them, and asked in this order', async (t) => {
  assert.deepEqual(registryAuthFiles({ REGISTRY_AUTH_FILE: '/a', DOCKER_CONFIG: '/d' }, '/home'), [
    '/a',
  ]);
  assert.deepEqual(registryAuthFiles({ XDG_RUNTIME_DIR: '/run', DOCKER_CONFIG: '/d' }, '/home'), [
    '/run/containers/auth.json',
    '/home/.config/containers/auth.json',
    '/d/config.json',
  ]);
  assert.equal(registryAuthFiles({}, '/home').at(-1), '/home/.docker/config.json');
  const directory = temporaryDirectory(t, 'auth');
  const [first, second] = [join(directory, '1'), join(directory, '2')] as const;
  writeFileSync(first, JSON.stringify({ auths: { 'a.example': basic('first:1') } }));
  writeFileSync(second, JSON.stringify({ auths: { 'b.example': basic('second:2') } }));
  const files = [join(directory, 'none'), first, second];
  const ask = (image: string) => findCredentials(repositoryOf(image), files, systemClock);
  assert.deepEqual(await ask('a.example/app'), of('first', '1'));
  assert.deepEqual(await ask('b.example/app'), of('second', '2'));
  writeFileSync(first, '{');
  await assert.rejects(ask('b.example/app'), (error) => isSluiceError(error, 'CONFIG_INVALID'));
});

/** Puts a program of that name on the path for as long as the test runs. */
function helper(t: TestContext, name: string, script: string): void {
  const directory = temporaryDirectory(t, 'bin');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = `${directory}${delimiter}${before}`;
  t.after(() => {
    process.env['PATH'] = before;
  });
}

test("a host's helper goes before its entry, and the store for all comes last", async (t) => {
  helper(t, 'one', 'read server; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$server\\"}"');
  helper(t, 'all', 'read server; echo \'{"Username":"<token>","Secret":"refresh"}\'');
  const file = {
    credHelpers: { 'helped.example': 'one', 'docker.io': 'one' },
    credsStore: 'all',
    auths: {
      'helped.example': basic('entry:1'),
      'own.example': basic('own:2'),
      'store.example': {},
    },
  };
  assert.deepEqual(await found(t, file, 'helped.example/app'), of('get', 'helped.example'));
  assert.deepEqual(await found(t, file, 'alpine'), of('get', 'https://index.docker.io/v1/'));
  assert.deepEqual(await found(t, file, 'own.example/app'), of('own', '2'));
  assert.deepEqual(await found(t, file, 'store.example/app'), { identityToken: 'refresh' });
});

test('a helper that has nothing, fails, hangs, floods or is not there', async (t) => {
  helper(t, 'none', 'echo "credentials not found in native keychain"; exit 1');
  helper(t, 'empty', 'echo \'{"Username":"","Secret":""}\'');
  helper(t, 'fails', 'echo "cannot open the keyring"; exit 2');
  helper(t, 'mumbles', 'echo hello');
  helper(t, 'hangs', 'sleep 1000 & sleep 1000');
  helper(t, 'floods', 'while :; do echo 0123456789012345678901234567890123456789; done');
  const ask = (name: string, timeoutMs = 20_000) =>
    runCredentialHelper(name, 'reg.example', { clock: systemClock, timeoutMs });
  assert.equal(await ask('none'), undefined);
  assert.equal(await ask('empty'), undefined);
  const refused: [string, RegExp, number?][] = [
    ['fails', /exit status 2/],
    ['mumbles', /answered no credentials/],
    ['hangs', /did not answer in 300 ms/, 300],
    ['floods', /without end/],
    ['missing', /cannot be started/],
    ['../../bin/sh', /no name of a program/],
  ];
  for (const [name, pattern, timeoutMs] of refused) {
    await assert.rejects(
      ask(name, timeoutMs),
      (error) => isSluiceError(error, 'REGISTRY_DENIED') && pattern.test(error.message),
      name,
    );
  }
});
