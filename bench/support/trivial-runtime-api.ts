/**
 * The reference of the platform's benchmark: the same runtime client in a bare process, talking to
 * a Runtime API that does nothing but hand out the next event. What it reaches is what the client
 * and Node's HTTP allow on this machine, without a sandbox, a frontend or a signature.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpuSecondsOfTree } from './processes.ts';

const payload = Buffer.from('{"mode":"echo"}');

/** Invokes one after the other: how many a second, and what one costs both processes. */
export async function trivialInvokes(
  bootstrap: string,
  taskDirectory: string,
  handler: string,
  seconds: number,
): Promise<{ perSecond: number; cpuUsPerInvoke: number }> {
  let invokes = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, [
        'Content-Type',
        'application/json',
        'Content-Length',
        String(payload.length),
        'Lambda-Runtime-Aws-Request-Id',
        String(++invokes),
      ]);
      response.end(payload);
      return;
    }
    request.resume();
    request.on('end', () => {
      response.writeHead(202, ['Content-Length', '0']);
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = spawn(process.execPath, [bootstrap], {
    cwd: taskDirectory,
    env: { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`, _HANDLER: handler },
    stdio: 'ignore',
  });
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  try {
    while (invokes < 500 && child.exitCode === null) await pause(10);
    const before = invokes;
    const cpuBefore = cpuSecondsOfTree(process.pid);
    const startMs = performance.now();
    await pause(seconds * 1000);
    const done = invokes - before;
    const cpuSeconds = cpuSecondsOfTree(process.pid) - cpuBefore;
    return {
      perSecond: (done * 1000) / (performance.now() - startMs),
      cpuUsPerInvoke: (cpuSeconds * 1e6) / done,
    };
  } finally {
    child.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
  }
}
