import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { until } from './until.ts';

export interface Moto {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/**
 * Is moto on the PATH? Skips the test aloud if not. Debian 12 does not package it, so its lack does
 * not fail a run that has all that Debian has: the same suites run against servers of ours there.
 */
export function hostHasMoto(t: TestContext): boolean {
  const { error } = spawnSync('moto_server', ['--help'], { stdio: 'ignore' });
  if (error) t.skip('this host lacks moto_server (pip install "moto[server]")');
  return !error;
}

/**
 * Starts moto, other people's imitation of AWS, on loopback. Its reading of S3 and KMS is not
 * ours, which is the point; it accepts any secret, so signatures are tested elsewhere.
 */
export async function startMoto(environment: NodeJS.ProcessEnv = {}): Promise<Moto> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
    env: { ...process.env, ...environment },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const moto = {
    endpoint,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
  try {
    await until('moto_server answers', async () => {
      assert.equal(child.exitCode, null, 'moto_server runs');
      return !!(await fetch(`${endpoint}/moto-api/`).catch(() => undefined))?.ok;
    });
    return moto;
  } catch (error) {
    await moto.stop();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
