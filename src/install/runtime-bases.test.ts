import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemRandom } from '../base/mod.ts';
import { openImage } from '../oci/mod.ts';
import { RuntimeBases } from './runtime-bases.ts';

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

test('an image that the operator has set goes before the host', async (t) => {
  const directory = temporaryDirectory(t);
  const configured = { 'python3.13': 'registry.example/python:3.13' };
  const bases = new RuntimeBases({ directory, configured, random: systemRandom });
  assert.deepEqual(await bases.baseOf('python3.13'), {
    imageUri: 'registry.example/python:3.13',
    isHosts: false,
  });
  assert.deepEqual(readdirSync(directory), []);
});
