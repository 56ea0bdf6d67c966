import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import type { ImageConfig } from '../oci/mod.ts';
import { imageProcess } from './mod.ts';

const plain: ImageConfig = {
  ...{ architecture: 'amd64', os: 'linux', labels: {}, diffIds: [], history: [] },
  entrypoint: ['/run'],
  env: ['A=1'],
};
const of = (change: Partial<ImageConfig>) => imageProcess({ ...plain, ...change }, 'app@sha256:1');

test('a correct configuration passes without a warning', () => {
  assert.deepEqual(of({ cmd: ['x'], workingDir: '/w', user: '5' }), {
    process: {
      entrypoint: ['/run'],
      command: ['x'],
      environment: ['A=1'],
      workingDirectory: '/w',
      user: '5',
    },
    warnings: [],
  });
  assert.equal(of({}).process.workingDirectory, '/');
});

test('what can be repaired is repaired, with a warning', () => {
  const env = ['=x', 'NAME', '', 'A=', 'B=c=d'];
  const { process, warnings } = of({ env, workingDir: 'app' });
  assert.deepEqual(process.environment, ['A=', 'B=c=d']);
  assert.equal(process.workingDirectory, '/app');
  assert.match(warnings[0] ?? '', /3 of Env is not NAME=value/);
  assert.match(warnings[1] ?? '', /WorkingDir "app" is taken from \//);
  const { warnings: idle } = of({ entrypoint: [], cmd: [''] });
  assert.match(idle.join(), /no ENTRYPOINT and no CMD/);
});

test('words that cannot be passed to a program are refused by field', () => {
  const cases: [Partial<ImageConfig>, RegExp][] = [
    [{ entrypoint: ['/run\0'] }, /Entrypoint and Cmd has a NUL/],
    [{ env: ['A=\0'] }, /Env has a NUL/],
    [{ workingDir: '/\0' }, /WorkingDir has a NUL/],
    [{ env: [`A=${'x'.repeat(131_072)}`] }, /Env has a word of more than 131071 bytes/],
    [{ env: Array(2000).fill(`A=${'x'.repeat(1000)}`) }, /Env has more than/],
  ];
  for (const [change, pattern] of cases) {
    assert.throws(
      () => of(change),
      (error) =>
        isSluiceError(error, 'IMAGE_MALFORMED') &&
        error.message.startsWith('app@sha256:1: config: ') &&
        pattern.test(error.message),
    );
  }
});
