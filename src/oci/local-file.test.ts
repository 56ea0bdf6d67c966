import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { type ErrorCode, isSluiceError } from '../base/mod.ts';
import { openRegularFile } from './local-file.ts';
import { openImage, writeImageLayout } from './mod.ts';

const fails = (code: ErrorCode) => (error: unknown) => isSluiceError(error, code);

test('a pipe or a device in the place of a file is never opened', async (t) => {
  const directory = temporaryDirectory(t);
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, '/dev/null', directory]) {
    await assert.rejects(openRegularFile(path), fails('IMAGE_MALFORMED'), path);
    for (const kind of ['oci-archive', 'docker-archive']) {
      await assert.rejects(openImage(`${kind}:${path}`), fails('IMAGE_MALFORMED'), path);
    }
  }
});

test('a device node is judged without being opened', async (t) => {
  if (!hostHas(t, 'root')) return;
  const device = join(temporaryDirectory(t), 'device');
  execFileSync('mknod', [device, 'c', '10', '254']);
  // Opening it would fail with ENXIO or ENODEV.
  await assert.rejects(openRegularFile(device), fails('IMAGE_MALFORMED'));
});

test('no link leads out of the folder that a reference is kept in', async (t) => {
  const directory = temporaryDirectory(t);
  const [inside, outside] = [join(directory, 'inside'), join(directory, 'outside')];
  await writeImageLayout(outside, { layers: [] });
  mkdirSync(inside);
  cpSync(outside, join(inside, 'own'), { recursive: true });
  symlinkSync('own', join(inside, 'alias'));
  symlinkSync(outside, join(inside, 'link'));
  cpSync(outside, join(inside, 'blobs-out'), { recursive: true, filter: (p) => !/blobs/.test(p) });
  symlinkSync(join(outside, 'blobs'), join(inside, 'blobs-out', 'blobs'));
  writeFileSync(join(outside, 'file.tar'), '');
  symlinkSync(join(outside, 'file.tar'), join(inside, 'file.tar'));
  for (const name of ['own', 'alias']) {
    await (await openImage(`oci:${join(inside, name)}`, { within: inside })).close();
  }
  const out = ['oci:link', 'oci:blobs-out', 'oci:../outside', 'oci-archive:file.tar'];
  for (const reference of [...out, 'docker-archive:file.tar']) {
    const [kind, path = ''] = reference.split(':');
    const opened = openImage(`${kind}:${join(inside, path)}`, { within: inside });
    await assert.rejects(opened, fails('IMAGE_PATH_ESCAPES'), reference);
  }
});
