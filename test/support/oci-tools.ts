import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { run, runOrThrow } from './run.ts';
import { temporaryDirectory } from './temporary.ts';
import { until } from './until.ts';

/** Unpacks an image of a layout with umoci; answers the root of its tree. */
export async function umociUnpack(t: TestContext, layout: string, tag = 'latest'): Promise<string> {
  const bundle = join(temporaryDirectory(t, 'umoci'), 'bundle');
  await runOrThrow('umoci', ['unpack', '--image', `${layout}:${tag}`, bundle]);
  return join(bundle, 'rootfs');
}

/** Mounts a disk read-only; unmounted when the test ends. */
export async function mountDisk(t: TestContext, file: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-mount-'));
  t.after(async () => {
    await run('umount', [directory]);
    await rmdir(directory);
  });
  await runOrThrow('mount', ['-o', 'loop,ro', file, directory]);
  return directory;
}

/** A registry of Debian's docker-registry on a loopback port of its own; answers `host:port`. */
export async function startRegistry(t: TestContext, settings = ''): Promise<string> {
  const directory = temporaryDirectory(t, 'registry');
  const address = `127.0.0.1:${await freePort()}`;
  const storage = join(directory, 'storage');
  mkdirSync(storage);
  const config = join(directory, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}}\n` +
      `http: {addr: "${address}"}\n${settings}`,
  );
  const registry = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  t.after(async () => {
    registry.kill('SIGKILL');
    if (registry.exitCode === null && registry.signalCode === null) await once(registry, 'exit');
  });
  const answers = async () => !!(await fetch(`http://${address}/v2/`).catch(() => undefined));
  await until('docker-registry answers', answers);
  return address;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
