import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { GIB } from '../base/mod.ts';
import { ensureDataDirectory } from '../config/mod.ts';
import { requireFileKinds } from './file-kinds.ts';

const damages = [
  (path: string) => mkdirSync(path),
  (path: string) => symlinkSync(path, path),
  (path: string) => execFileSync('mkfifo', [path]),
];
const long = (path: string) => {
  writeFileSync(path, '');
  truncateSync(path, 4 * GIB);
};

test('what stands in a file’s place is named before anybody opens it or waits for it', (t) => {
  const names = ['config.json', 'credentials', 'address.json', 'lock', 'keys/master.key'];
  for (const name of [
    ...names,
    'state/functions.sqlite',
    'state/usage.json',
    'origin/owner/region',
  ]) {
    const tooLong = name.endsWith('.sqlite') ? [] : [long];
    for (const damage of [...damages, ...tooLong]) {
      const data = ensureDataDirectory(temporaryDirectory(t));
      for (const folder of ['origin/owner', 'keys/accounts/1']) {
        mkdirSync(join(data.path, folder), { recursive: true });
      }
      requireFileKinds(data);
      const path = join(data.path, name);
      damage(path);
      const named = (error: Error) => error.message.startsWith(`${path}: `);
      assert.throws(() => requireFileKinds(data), named, name);
    }
  }
});

test('a link to a file, and what belongs to nobody, may stay', (t) => {
  const data = ensureDataDirectory(temporaryDirectory(t));
  writeFileSync(join(data.path, 'elsewhere'), 'x');
  symlinkSync(join(data.path, 'elsewhere'), data.credentialsFile);
  mkdirSync(join(data.state, 'lost+found'));
  requireFileKinds(data);
});
