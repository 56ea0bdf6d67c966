import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvokeCommand, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { hostHas } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { buildTestImage } from '../support/node-image.ts';
import { startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

/** What a region may open beyond what it has open; a cold start takes about a third of it. */
const SPARE = 60;

test('a region without descriptors refuses connections, serves those it has, and recovers at once', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup', 'tool:prlimit')) return;
  const directory = temporaryDirectory(t, 'open-files');
  const region = await startRegion(t, join(directory, 'data'));
  const pid = region.process.pid ?? 0;
  const kept = region.client();
  await createImageFunction(kept, 'f', await buildTestImage(join(directory, 'image')));
  const invoke = async (client = kept, payload: object = { mode: 'echo' }) => {
    const Payload = JSON.stringify(payload);
    const answer = await client.send(new InvokeCommand({ FunctionName: 'f', Payload }));
    return [answer.StatusCode, answer.FunctionError];
  };
  assert.deepEqual(await invoke(), [200, undefined]);
  const open = readdirSync(`/proc/${pid}/fd`).length;
  await runOrThrow('prlimit', ['--pid', `${pid}`, `--nofile=${open + SPARE}:`]);
  const { port } = new URL(region.endpoint);
  const sockets: Socket[] = [];
  let refused = 0;
  for (let n = 0; n < 4 * SPARE; n++) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {}).on('close', () => refused++);
    sockets.push(socket);
  }
  await until('connections to be refused', () => refused >= SPARE);
  assert.deepEqual(await invoke(), [200, undefined], 'a sandbox and a connection go on');
  for (const socket of sockets) socket.destroy();
  await until('a new connection', async () => {
    const answer = await fetch(`${region.endpoint}/healthz`).catch(() => undefined);
    return answer?.status === 200;
  });
  const Environment = { Variables: { WHICH: 'another version' } };
  await kept.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'f', Environment }));
  assert.deepEqual(await invoke(region.client()), [200, undefined], 'and a cold start succeeds');
  assert.equal(region.process.exitCode, null);
});
