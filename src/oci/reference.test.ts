import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { parseImageReference } from './reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

test('local references: a path, a tag, a digest', () => {
  const cases: [string, object][] = [
    ['oci:dir', { kind: 'oci', path: 'dir' }],
    ['oci:/a/b:v1.2', { kind: 'oci', path: '/a/b', tag: 'v1.2' }],
    [`oci:dir@${digest}`, { kind: 'oci', path: 'dir', digest }],
    [`oci:dir:tag@${digest}`, { kind: 'oci', path: 'dir', tag: 'tag', digest }],
    ['oci:user@host:tag', { kind: 'oci', path: 'user@host', tag: 'tag' }],
    ['oci-archive:a.tar:x', { kind: 'oci-archive', path: 'a.tar', tag: 'x' }],
    ['docker-archive:a.tar:name:x', { kind: 'docker-archive', path: 'a.tar', tag: 'name:x' }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseImageReference(text), expected, text);
});

test('registry references: defaults of docker, plain HTTP for this host only', () => {
  const cases: [string, string, string, string | undefined][] = [
    ['debian', 'https://registry-1.docker.io', 'library/debian', 'latest'],
    ['user/app:1', 'https://registry-1.docker.io', 'user/app', '1'],
    ['docker.io/debian', 'https://registry-1.docker.io', 'library/debian', 'latest'],
    ['quay.io/a/b/c', 'https://quay.io', 'a/b/c', 'latest'],
    ['localhost/app', 'http://localhost', 'app', 'latest'],
    ['localhost:5000/app:x', 'http://localhost:5000', 'app', 'x'],
    ['127.0.0.1:5000/app', 'http://127.0.0.1:5000', 'app', 'latest'],
    ['[::1]:5000/app', 'http://[::1]:5000', 'app', 'latest'],
    ['127.0.0.1.example.org/app', 'https://127.0.0.1.example.org', 'app', 'latest'],
    ['registry.example:5000/app', 'https://registry.example:5000', 'app', 'latest'],
    [`app@${digest}`, 'https://registry-1.docker.io', 'library/app', undefined],
  ];
  for (const [text, endpoint, repository, tag] of cases) {
    const reference = parseImageReference(text);
    assert.equal(reference.kind, 'registry', text);
    assert.deepEqual(
      [reference.endpoint, reference.repository, reference.tag],
      [endpoint, repository, tag],
      text,
    );
  }
});

test('what is not a reference is refused, with the text in the message', () => {
  const bad = [
    '',
    'oci:',
    'oci:dir:',
    'UPPER/case',
    'app:',
    'app:ta g',
    'app@sha256:short',
    `app@${digest.toUpperCase()}`,
    '-host.example/app',
    'a b',
    '../escape',
    'registry.example/../escape',
    'https://registry.example/app',
    'registry.example:99999999/app',
  ];
  for (const text of bad) {
    assert.throws(
      () => parseImageReference(text),
      (error) =>
        isSluiceError(error, 'IMAGE_REFERENCE_INVALID') && error.message.startsWith(`${text}:`),
      text,
    );
  }
});
