import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/mod.ts';
import { reasonOf } from './installs.ts';

test('what is wrong with an image is told in its own words', () => {
  const layer = new SluiceError('IMAGE_LAYER_TRUNCATED', 'layer sha256:1: its stream ends early');
  assert.deepEqual(reasonOf(layer), { text: layer.message, code: 'InvalidImage' });
  const denied = new SluiceError('REGISTRY_DENIED', 'quay.io/a: HTTP 401; check the credentials');
  assert.deepEqual(reasonOf(denied), { text: denied.message, code: 'ImageAccessDenied' });
});

test('what is wrong with the region names no path of its host', () => {
  const failures = [
    new SluiceError('DISK_FULL', '/var/lib/sluice/spool/1: no space left'),
    new SluiceError('INTERNAL', 'image: the flattener ended with SIGKILL: /opt/sluice/src/main.ts'),
    Object.assign(new Error("EACCES: permission denied, open '/var/lib/sluice/x'"), {
      code: 'EACCES',
    }),
  ];
  for (const failure of failures) {
    const { text, code } = reasonOf(failure);
    assert.equal(code, 'InternalError');
    assert.ok(!text.includes('/'), text);
  }
});
