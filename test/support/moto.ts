import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { pipeline } from 'node:stream/promises';
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
  const front = await oneAtATime(port);
  const endpoint = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
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
      front.close();
      front.closeAllConnections();
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

/**
 * Lets one request after another through to `port`. Moto serves each in a thread of its own, and
 * looks whether a key is there in one step and stores it in the next: of two conditional puts at
 * once both may win there, where S3 promises that one does.
 */
async function oneAtATime(port: number): Promise<Server> {
  let last: Promise<unknown> = Promise.resolve();
  const server = createHttpServer((incoming, answer) => {
    const { method, url, headers } = incoming;
    const pass = async () => {
      const onward = request({ host: '127.0.0.1', port, method, path: url, headers, agent: false });
      const answered = once(onward, 'response');
      await Promise.all([pipeline(incoming, onward), answered]);
      const [response] = await answered;
      answer.writeHead(response.statusCode, response.rawHeaders);
      await pipeline(response, answer);
    };
    last = last.then(pass).catch(() => answer.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
