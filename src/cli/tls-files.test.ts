import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { readTlsFiles } from './tls-files.ts';

test('plain HTTP is for this host only, unless more is asked for', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) {
    assert.equal(readTlsFiles({ plainHttp: false }, host), undefined);
  }
  for (const host of ['0.0.0.0', '::', '192.0.2.1', '::ffff:192.0.2.1', 'example.com']) {
    assert.throws(() => readTlsFiles({ plainHttp: false }, host), { code: 'USAGE' }, host);
    assert.equal(readTlsFiles({ plainHttp: true }, host), undefined);
  }
});

test('half a pair, and files that are not certificates, are refused', (t) => {
  const options = { tlsCert: 'a', plainHttp: false };
  assert.throws(() => readTlsFiles(options, '127.0.0.1'), { code: 'USAGE' });
  const missing = { ...options, tlsKey: 'b' };
  assert.throws(() => readTlsFiles(missing, '127.0.0.1'), { code: 'CONFIG_INVALID' });
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, 'no certificate\n');
  const wrong = { tlsCert: file, tlsKey: file, plainHttp: false };
  assert.throws(() => readTlsFiles(wrong, '0.0.0.0'), { code: 'CONFIG_INVALID' });
});
