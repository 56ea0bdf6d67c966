import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, errorCatalogue, SluiceError } from '../base/mod.ts';
import { reasonOf } from './install-reason.ts';

const codes = Object.keys(errorCatalogue) as ErrorCode[];
const secret = '/srv/sluice/10.0.0.7:5000/sha256:abc';

test('a tenant reads of the host nothing but what is about his own image or archive', () => {
  const reveals = (source: 'image' | 'zip') =>
    codes.filter((code) => reasonOf(new SluiceError(code, secret), source).text.includes(secret));
  const about = (prefix: string) => codes.filter((code) => code.startsWith(prefix));
  const except = (of: ErrorCode[], without: ErrorCode) => of.filter((c) => c !== without);
  const ofImage = [...except(about('IMAGE_'), 'IMAGE_DIGEST_MISMATCH'), 'REGISTRY_DENIED'];
  assert.deepEqual(reveals('image'), ofImage);
  assert.deepEqual(reveals('zip'), except(about('CODE_'), 'CODE_NOT_FOUND'));
  assert.doesNotMatch(reasonOf(new Error(secret), 'image').text, /srv/);
});

test('a host that a tenant may not reach cannot be told from one that is not there', () => {
  const [refused, absent] = (['ACCESS_DENIED', 'REGISTRY_UNAVAILABLE'] as const).map((code) =>
    reasonOf(new SluiceError(code, secret), 'image'),
  );
  assert.deepEqual(refused, absent);
});

test('the operator reads what is wrong with his image, registry or key', () => {
  for (const code of ['IMAGE_DIGEST_MISMATCH', 'REGISTRY_UNAVAILABLE', 'KEY_DENIED'] as const) {
    assert.equal(reasonOf(new SluiceError(code, secret), 'operator').text, secret);
  }
});

test('what is wrong with an image is told in its own words', () => {
  const layer = new SluiceError('IMAGE_LAYER_TRUNCATED', 'layer sha256:1: its stream ends early');
  assert.deepEqual(reasonOf(layer, 'image'), { text: layer.message, code: 'InvalidImage' });
  const denied = new SluiceError('REGISTRY_DENIED', 'quay.io/a: HTTP 401; check the credentials');
  assert.deepEqual(reasonOf(denied, 'image'), { text: denied.message, code: 'ImageAccessDenied' });
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
    for (const source of ['image', 'zip', 'operator'] as const) {
      const { text, code } = reasonOf(failure, source);
      assert.equal(code, 'InternalError');
      assert.ok(!text.includes('/'), text);
    }
  }
});

test('what the host lacks is the runtime of a zip function, and ours to mend for an image', () => {
  const lacks = new SluiceError('HOST_LACKS', 'flattener: cannot be jailed: mount: ENOENT');
  assert.equal(reasonOf(lacks, 'zip').code, 'InvalidRuntime');
  assert.equal(reasonOf(lacks, 'image').code, 'InternalError');
  assert.doesNotMatch(reasonOf(lacks, 'image').text, /runtime|jail/);
});
