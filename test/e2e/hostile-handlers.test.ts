import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { buildTestImage } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

/** Each deed is a way to hurt whoever runs the function. */
const handler = `
import { spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import net from 'node:net';
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const kept = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sayOnce = (text, waitMs) => new Promise((resolve) => {
  const socket = net.connect(port, host);
  let got = '';
  socket.on('error', () => {});
  socket.on('close', () => resolve(got || 'refused'));
  socket.on('data', (part) => {
    got += part;
    if (got.includes('\\r\\n\\r\\n')) socket.destroy();
  });
  socket.write(text);
  setTimeout(() => { resolve(got); socket.destroy(); }, waitMs).unref();
});
// Connections of an earlier deed may still be in the way.
const say = async (text, waitMs) => {
  for (;;) {
    const got = await sayOnce(text, waitMs);
    if (got !== 'refused') return got;
    await pause(20);
  }
};
const deeds = {
  echo: (event) => event.word,
  forks: () => {
    const bomb = 'for (;;) require("child_process").spawn(process.execPath, ["-e", process.argv[1]])';
    for (;;) spawn(process.execPath, ['-e', bomb, bomb]).on('error', () => {});
  },
  eats: () => { for (;;) kept.push(Buffer.alloc(8 << 20, 1)); },
  spins: () => { for (;;); },
  floods: () => { const line = 'f'.repeat(65535) + '\\n'; for (;;) writeSync(1, line); },
  fills: () => { for (let i = 0; ; i++) writeFileSync('/tmp/' + i, Buffer.alloc(32 << 20)); },
  opens: () => {
    try {
      for (;;) kept.push(openSync('/dev/null'));
    } finally {
      for (const fd of kept.splice(0)) closeSync(fd);
    }
  },
  connects: async () => {
    let refused = 0;
    for (let i = 0; i < 900; i++) {
      const socket = net.connect(port, host).on('error', () => {});
      kept.push(socket.on('close', () => refused++));
    }
    for (let waited = 0; waited < 3000 && refused < 850; waited++) await pause(20);
    for (const socket of kept.splice(0)) socket.destroy();
    return refused;
  },
  halves: async (event, { awsRequestId }) => {
    const path = '/2018-06-01/runtime/invocation/' + awsRequestId + '/response';
    await say('POST ' + path + ' HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000\\r\\n\\r\\nhalf', 200);
    return 'too late';
  },
  malforms: async () => {
    const api = '/2018-06-01/runtime/invocation/';
    const requests = [
      '\\0\\0\\0garbage\\r\\n\\r\\n',
      'GET ' + '/x'.repeat(20000) + ' HTTP/1.1\\r\\n\\r\\n',
      'GET / HTTP/1.1\\r\\n' + 'a: b\\r\\n'.repeat(20000) + '\\r\\n',
      'POST ' + api + '../../x/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n',
      'POST ' + api + '%00/error HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nZ\\r\\n',
      'POST /2020-01-01/extension/register HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n[[',
      'PUT /2022-07-01/telemetry HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\n\\r\\n{',
    ];
    const answers = [];
    for (const request of requests) answers.push((await say(request, 20_000)).slice(9, 12));
    return answers;
  },
  exceeds: () => 'x'.repeat(10 << 20),
};
export const handler = (event, context) => deeds[event.do](event, context);
`;

describe('a hostile handler hurts only itself', { skip: lacks }, () => {
  const scratch = scratchDirectory('hostile');
  let region: RunningRegion;
  let client: LambdaClient;
  let watching = true;
  let neighbour: Promise<{ answers: number; wrong: unknown[] }>;

  const invoke = async (FunctionName: string, event: Record<string, unknown>) => {
    const Payload = JSON.stringify(event);
    const answer = await client.send(new InvokeCommand({ FunctionName, Payload }));
    return JSON.parse(Buffer.from(answer.Payload ?? []).toString('utf8'));
  };
  const deed = (name: string) => invoke('hostile', { do: name });

  /** Invokes the neighbour without a pause, and keeps whatever it did not answer. */
  const watchNeighbour = async () => {
    const wrong: unknown[] = [];
    let answers = 0;
    for (; watching; answers++) {
      const word = `word ${answers}`;
      const answer = await invoke('neighbour', { do: 'echo', word }).catch((error) => error);
      if (answer !== word) wrong.push(answer);
    }
    return { answers, wrong };
  };

  before(async () => {
    const files = { 'var/task/handler.mjs': handler };
    const image = await buildTestImage(join(scratch.path, 'image'), files);
    region = await startRegion(undefined, join(scratch.path, 'data'));
    client = region.client();
    const sizes = { hostile: [512, 3], patient: [512, 300], neighbour: [512, 60] } as const;
    for (const [FunctionName, [MemorySize, Timeout]] of Object.entries(sizes)) {
      await createImageFunction(client, FunctionName, image, { MemorySize, Timeout });
    }
    await invoke('neighbour', { do: 'echo', word: 'warm' });
    neighbour = watchNeighbour();
  });
  after(async () => {
    watching = false;
    await region?.stop();
    scratch.remove();
  });

  test('that forks, spins, floods its log and eats memory, all at once', async () => {
    const ended = /^(Sandbox\.Timedout|Runtime\.ExitError)$/;
    const deeds = ['forks', 'spins', 'floods', 'eats'];
    const answers = await Promise.all(deeds.map(deed));
    for (const [index, { errorType }] of answers.entries()) {
      assert.match(errorType, ended, deeds[index]);
    }
    assert.equal(answers[1].errorType, 'Sandbox.Timedout');
  });

  test('that fills its disk, opens files and connections without end', async () => {
    assert.match((await deed('fills')).errorMessage, /ENOSPC|timed out/);
    assert.match((await deed('opens')).errorMessage, /EMFILE|timed out/);
    const refused = await invoke('patient', { do: 'connects' });
    assert.ok(refused > 100, `${refused} of 900 connections were refused`);
  });

  test('that breaks off its answer, or answers more than allowed', async () => {
    assert.equal((await deed('halves')).errorType, 'Runtime.TruncatedResponse');
    assert.equal((await deed('exceeds')).errorType, 'Function.ResponseSizeTooLarge');
  });

  test('that talks nonsense to its Runtime API', async () => {
    const answers = await invoke('patient', { do: 'malforms' });
    assert.equal(answers.length, 7);
    for (const status of answers) assert.match(status, /^4\d\d$/);
  });

  test('while its neighbour answers throughout, and it works again afterwards', async () => {
    watching = false;
    const { answers, wrong } = await neighbour;
    assert.deepEqual(wrong, []);
    assert.ok(answers > 10, `${answers} answers`);
    assert.equal(await invoke('hostile', { do: 'echo', word: 'well' }), 'well');
    assert.ok(region.process.exitCode === null);
  });
});
