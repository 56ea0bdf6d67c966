import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { IMAGE, ROLE, runCommand, startFrontend } from './testing/harness.ts';

test("Debian's aws command creates, waits, invokes, updates, lists and deletes", async (t) => {
  if (!hostHas(t, 'tool:aws')) return;
  const { endpoint } = await startFrontend(t);
  const directory = temporaryDirectory(t);
  mkdirSync(directory, { recursive: true });
  const aws = async (...args: string[]) => {
    const all = ['--endpoint-url', endpoint, '--output', 'json', 'lambda', ...args];
    const { status, stdout, stderr } = await runCommand('/usr/bin/aws', all, endpoint);
    assert.equal(status, 0, stderr);
    return stdout === '' ? {} : JSON.parse(stdout);
  };
  const name = ['--function-name', 'f'];
  const code = ['--package-type', 'Image', '--code', `ImageUri=${IMAGE}`, '--role', ROLE];
  const created = await aws('create-function', ...name, ...code);
  assert.equal(created.State, 'Pending');
  await aws('wait', 'function-active-v2', ...name);
  const payload = join(directory, 'event.json');
  const out = join(directory, 'answer.json');
  writeFileSync(payload, '{"from":"aws"}');
  const invoked = await aws('invoke', ...name, '--payload', `fileb://${payload}`, out);
  assert.equal(invoked.StatusCode, 200);
  assert.equal(readFileSync(out, 'utf8'), '{"from":"aws"}');
  await aws('update-function-code', ...name, '--image-uri', 'localhost:5000/hello:2');
  await aws('wait', 'function-updated-v2', ...name);
  const listed = await aws('list-functions');
  assert.equal(listed.Functions.length, 1);
  await aws('delete-function', ...name);
  assert.deepEqual((await aws('list-functions')).Functions, []);
});
