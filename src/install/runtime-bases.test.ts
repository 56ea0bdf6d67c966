import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemRandom } from '../base/mod.ts';
import { openImage } from '../oci/mod.ts';
import { openStores } from '../serve/stores.ts';
import { writeZip } from '../zip/mod.ts';
import { RuntimeBases, versionWarning } from './runtime-bases.ts';
import { RuntimeZipInstaller } from './zip-installer.ts';

test('a base is gathered once, whole, and the same from the same host', async (t) => {
  if (!hostHas(t, 'tool:ldd')) return;
  const digests: string[] = [];
  for (const directory of [temporaryDirectory(t), temporaryDirectory(t)]) {
    const bases = new RuntimeBases({ directory, configured: {}, random: systemRandom });
    const names = ['provided', 'provided.al2', 'provided.al2023'];
    const found = await Promise.all(names.map((name) => bases.baseOf(name)));
    assert.equal(new Set(found.map(({ imageUri }) => imageUri)).size, 1);
    assert.ok(found[0]?.isHosts);
    assert.equal(readdirSync(directory).length, 1);
    const image = await openImage(found[0].imageUri);
    digests.push(image.digest);
    await image.close();
  }
  assert.equal(digests[0], digests[1]);
});

test('an image that the operator has set takes precedence over the host', async (t) => {
  const directory = temporaryDirectory(t);
  const configured = { 'python3.13': 'registry.example/python:3.13' };
  const bases = new RuntimeBases({ directory, configured, random: systemRandom });
  assert.deepEqual(await bases.baseOf('python3.13'), {
    imageUri: 'registry.example/python:3.13',
    isHosts: false,
  });
  assert.deepEqual(readdirSync(directory), []);
});

test('a host that has another version of a language than a runtime names says so', () => {
  const python = { language: 'python', version: '3.11.2' } as const;
  const node = { language: 'node', version: 'v24.1.0' } as const;
  assert.equal(versionWarning('python3.11', python), undefined);
  assert.equal(
    versionWarning('python3.1', python),
    'python3.1: this region runs it on Python 3.11.2',
  );
  assert.equal(versionWarning('nodejs24.x', node), undefined);
  assert.equal(
    versionWarning('nodejs22.x', node),
    'nodejs22.x: this region runs it on Node.js 24.1.0',
  );
  const own = { language: 'provided', version: '1' } as const;
  assert.equal(versionWarning('provided.al2023', own), undefined);
});

test('a damaged kept base is gathered again by the install that finds it', async (t) => {
  if (!hostHas(t, 'namespaces', 'tool:ldd')) return;
  const directory = temporaryDirectory(t);
  const bases = new RuntimeBases({ directory, configured: {}, random: systemRandom });
  const base = await bases.baseOf('provided');
  const path = base.imageUri.slice('oci:'.length, -':latest'.length);
  writeFileSync(join(path, 'index.json'), '');
  const stores = await openStores(join(temporaryDirectory(t, 'base'), 'data'));
  t.after(() => stores.close());
  const { installer } = stores;
  const install = () =>
    new RuntimeZipInstaller(installer, bases).installZip(
      {
        ...{ accountId: '111111111111', functionName: 'f', architecture: 'x86_64' },
        ...{
          runtime: 'provided',
          layers: [],
          archive: writeZip([{ name: 'bootstrap', content: Buffer.from('#!/bin/sh') }]),
        },
      },
      new AbortController().signal,
    );
  const made = await install();
  const blobs = join(path, 'blobs', 'sha256');
  for (const name of readdirSync(blobs)) {
    if (statSync(join(blobs, name)).size > 100_000) truncateSync(join(blobs, name), 10_000);
  }
  assert.equal((await install()).imageDigest, made.imageDigest);
  await bases.giveUp(base);
  assert.ok(existsSync(path), 'it was made again since');
});
