import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { dataDirectory } from '../config/mod.ts';
import { LambdaClient } from './lambda-client.ts';

test('where no region ran, what to do is said first, and no file of Sluice’s is', (t) => {
  const path = temporaryDirectory(t);
  assert.throws(() => new LambdaClient(path), {
    code: 'CONFIG_INVALID',
    message: /^no region runs here: start one with “sluice up”(?!.*address\.json)/,
  });
});

test('a damaged address is named', (t) => {
  const { addressFile } = dataDirectory(temporaryDirectory(t));
  mkdirSync(join(addressFile, '..'), { recursive: true });
  writeFileSync(addressFile, '{"endpoint');
  const start = (error: Error) =>
    error.message.startsWith(`${addressFile}: cannot be read; “sluice`);
  assert.throws(() => new LambdaClient(join(addressFile, '..')), start);
});
