import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GetFunctionCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { repositoryRoot } from '../repo/repository.ts';
import { DEBIAN_IMAGE_NEEDS, debianImage } from '../support/debian-image.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { describeTree, describeXattrs } from '../support/tree.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks(
  ...(['fuse', 'loop', 'cgroup', ...DEBIAN_IMAGE_NEEDS] as const),
  ...(['tool:skopeo', 'tool:docker-registry', 'tool:getfattr', 'tool:e2fsck'] as const),
);
const sluice = join(repositoryRoot, 'bin/sluice');

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function startRegistry(
  directory: string,
): Promise<{ address: string; process: ChildProcess }> {
  mkdirSync(directory, { recursive: true });
  const address = `127.0.0.1:${await freePort()}`;
  const file = join(directory, 'config.yml');
  const storage = `storage: {filesystem: {rootdirectory: ${join(directory, 'blobs')}}}`;
  writeFileSync(
    file,
    `version: 0.1\nlog: {level: error}\n${storage}\nhttp: {addr: '${address}'}\n`,
  );
  const child = spawn('docker-registry', ['serve', file], { stdio: 'ignore' });
  const answers = async () => !!(await fetch(`http://${address}/v2/`).catch(() => undefined));
  await until('docker-registry answers', answers);
  return { address, process: child };
}

describe('a Debian image with Python, made by other tools', { skip: lacks }, () => {
  const scratch = scratchDirectory('debian-image');
  const data = join(scratch.path, 'data');
  let layout: string;
  let region: RunningRegion;
  let registry: { address: string; process: ChildProcess };

  before(async () => {
    ({ layout } = await debianImage());
    registry = await startRegistry(join(scratch.path, 'registry'));
    region = await startRegion(undefined, data);
  });
  after(async () => {
    await region?.stop();
    registry?.process.kill();
    scratch.remove();
  });

  test('every form of reference flattens to the same disk', async () => {
    const archive = join(scratch.path, 'archive.tar');
    const docker = join(scratch.path, 'docker.tar');
    const remote = `${registry.address}/debian/python:3`;
    const source = `oci:${layout}:latest`;
    await runOrThrow('skopeo', ['copy', '--quiet', source, `oci-archive:${archive}:latest`]);
    await runOrThrow('skopeo', ['copy', '--quiet', source, `docker-archive:${docker}:a/b:latest`]);
    const plain = '--dest-tls-verify=false';
    await runOrThrow('skopeo', ['copy', '--quiet', plain, source, `docker://${remote}`]);
    const [first, other] = [join(scratch.path, 'first'), join(scratch.path, 'other')];
    await runOrThrow(sluice, ['image', 'flatten', source, '--output', first]);
    await runOrThrow('e2fsck', ['-fn', first]);
    for (const reference of [`oci-archive:${archive}`, `docker-archive:${docker}`, remote]) {
      await runOrThrow(sluice, ['image', 'flatten', reference, '--output', other]);
      await runOrThrow('cmp', [first, other]);
      await runOrThrow('rm', [other]);
    }
    await runOrThrow('rm', [first]);
  });

  test("the mounted device equals umoci's unpacked tree, path by path", async () => {
    const unpacked = join(scratch.path, 'unpacked');
    const mountPoint = join(scratch.path, 'mounted');
    mkdirSync(mountPoint);
    await runOrThrow('umoci', ['unpack', '--image', `${layout}:latest`, unpacked]);
    const added = await runOrThrow(sluice, [
      ...['image', 'add', `oci:${layout}:latest`, '--data', data, '--json'],
    ]);
    const { manifestId } = JSON.parse(added.trim().split('\n').pop() ?? '');
    const words = ['image', 'mount', manifestId, mountPoint, '--read-only', '--data', data];
    const mount = spawn(sluice, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(mount, 'exit');
    await Promise.race([once(mount.stdout, 'data'), ended]);
    try {
      const expected = join(unpacked, 'rootfs');
      assert.deepEqual(describeTree(mountPoint), describeTree(expected));
      assert.deepEqual(await describeXattrs(mountPoint), await describeXattrs(expected));
    } finally {
      mount.kill('SIGTERM');
    }
    assert.deepEqual(await ended, [0, null]);
  });

  test('its handler runs, from the registry, with the standard library', async () => {
    const client = region.client();
    const imageUri = `${registry.address}/debian/python:3`;
    await createImageFunction(client, 'python', imageUri);
    const got = await client.send(new GetFunctionCommand({ FunctionName: 'python' }));
    assert.match(got.Code?.ResolvedImageUri ?? '', /^127\.0\.0\.1:\d+\/debian\/python@sha256:/);
    const answer = await client.send(
      new InvokeCommand({ FunctionName: 'python', Payload: '{"numbers":["0.1","0.2"]}' }),
    );
    assert.equal(answer.FunctionError, undefined);
    const body = JSON.parse(Buffer.from(answer.Payload ?? []).toString());
    assert.deepEqual([body.answer, body.sum, typeof body.crc], [42, '0.3', 'number']);
  });
});
