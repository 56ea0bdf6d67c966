import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { readZipDirectory, writeZip } from '../zip/mod.ts';
import { packCode } from './code-package.ts';

test('a directory is packed with modes and links, leaving out what is not code', (t) => {
  const directory = temporaryDirectory(t);
  for (const path of ['lib', '.git', '__pycache__']) mkdirSync(join(directory, path));
  for (const path of ['bootstrap', 'lib/a.txt', '.git/config', '__pycache__/a.pyc']) {
    writeFileSync(join(directory, path), path);
  }
  chmodSync(join(directory, 'bootstrap'), 0o700);
  symlinkSync('lib/a.txt', join(directory, 'link'));
  const { archive, guess } = packCode(directory);
  assert.deepEqual(
    readZipDirectory(archive).map(({ name, kind, mode }) => [name, kind, mode]),
    [
      ['bootstrap', 'file', 0o755],
      ['lib/a.txt', 'file', 0o644],
      ['link', 'symlink', 0o777],
    ],
  );
  assert.deepEqual(guess, { runtime: 'provided.al2023', handler: 'bootstrap' });
  assert.deepEqual(packCode(directory).archive, archive);
});

test('the files decide the runtime; archives are sent unchanged', (t) => {
  const directory = temporaryDirectory(t);
  const guessOf = (name: string) => {
    writeFileSync(join(directory, name), '');
    return packCode(join(directory, name)).guess;
  };
  assert.deepEqual(guessOf('app.py'), { runtime: 'python3.13', handler: 'app.handler' });
  const lambda = { runtime: 'python3.13', handler: 'lambda_function.lambda_handler' };
  assert.deepEqual(guessOf('lambda_function.py'), lambda);
  assert.deepEqual(guessOf('index.mjs'), { runtime: 'nodejs24.x', handler: 'index.handler' });
  assert.equal(guessOf('notes.txt'), undefined);
  const archive = writeZip([{ name: 'index.mjs', content: Buffer.from('x') }]);
  writeFileSync(join(directory, 'code.zip'), archive);
  assert.deepEqual(packCode(join(directory, 'code.zip')), { archive });
});

test('what is not there, or empty, is an error that names it', (t) => {
  const directory = temporaryDirectory(t);
  assert.throws(
    () => packCode(join(directory, 'missing')),
    (error) => isSluiceError(error, 'CODE_NOT_FOUND') && error.message.includes('missing'),
  );
  assert.throws(
    () => packCode(directory),
    (error) => isSluiceError(error, 'CODE_INVALID') && error.message.startsWith(directory),
  );
});
