/** Ways for a handler to hurt whoever runs it, each until the event's `untilMs`; the first only spins. */
export const hostileDeeds = [
  'spins',
  'pipelinesPings',
  'asksPings',
  'leaves404sUnread',
  'printsEmptyLines',
  'printsLongLines',
  'sendsByteChunks',
  'connectsAndCloses',
  'sendsLargeHeaders',
  'postsWithoutEnd',
  'subscribesWrongly',
  'fillsItsDisk',
  'forks',
] as const;

export const hostileSource = `
import { spawn } from 'node:child_process';
import { writeFileSync, writeSync } from 'node:fs';
import net from 'node:net';
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const head = (line, more = '') => line + ' HTTP/1.1\\r\\nHost: x\\r\\n' + more + '\\r\\n';
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = (untilMs, act) => { while (Date.now() < untilMs) act(); };
const closed = (socket) => new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));

/** Keeps one connection full of \`text\`, and opens another when it is broken off. */
async function pour(untilMs, text, first = '', reads = true) {
  while (Date.now() < untilMs) {
    const socket = net.connect(port, host);
    if (reads) socket.resume();
    let open = true;
    const gone = closed(socket).then(() => { open = false; });
    socket.write(first);
    while (open && Date.now() < untilMs) {
      if (socket.write(text)) await new Promise(setImmediate);
      else await Promise.race([gone, pause(50), new Promise((r) => socket.once('drain', r))]);
    }
    socket.destroy();
    await pause(1);
  }
}
/** One request after the other, each when something has come back. */
async function ask(untilMs, request) {
  while (Date.now() < untilMs) {
    const socket = net.connect(port, host);
    socket.on('data', () => socket.write(request));
    socket.write(request);
    await Promise.race([closed(socket), pause(untilMs - Date.now())]);
    socket.destroy();
  }
}
const api = '/2018-06-01/runtime/';
const chunked = 'Transfer-Encoding: chunked\\r\\n';
const deeds = {
  echo: (event) => event.word,
  spins: ({ untilMs }) => until(untilMs, () => {}),
  pipelinesPings: ({ untilMs }) => pour(untilMs, head('GET /2018-06-01/ping').repeat(1000)),
  asksPings: ({ untilMs }) => ask(untilMs, head('GET /2018-06-01/ping')),
  leaves404sUnread: ({ untilMs }) => pour(untilMs, head('GET /nowhere'), '', false),
  printsEmptyLines: ({ untilMs }) => until(untilMs, () => writeSync(1, '\\n'.repeat(32768))),
  printsLongLines: ({ untilMs }) => until(untilMs, () => writeSync(1, 'f'.repeat(65535) + '\\n')),
  sendsByteChunks: ({ untilMs }) =>
    pour(untilMs, '1\\r\\nx\\r\\n'.repeat(10000), head('POST ' + api + 'invocation/none/error', chunked)),
  connectsAndCloses: async ({ untilMs }) => {
    while (Date.now() < untilMs) {
      const all = Array.from({ length: 100 }, () => net.connect(port, host));
      await Promise.all(all.map((socket) => Promise.race([closed(socket), new Promise((r) => socket.on('connect', r))])));
      for (const socket of all) socket.destroy();
    }
  },
  sendsLargeHeaders: ({ untilMs }) => ask(untilMs, head('GET /nowhere', 'a: b\\r\\n'.repeat(1500))),
  postsWithoutEnd: ({ untilMs }) =>
    pour(untilMs, '10000\\r\\n' + 'x'.repeat(65536) + '\\r\\n', head('POST ' + api + 'init/error', chunked)),
  subscribesWrongly: ({ untilMs }) =>
    ask(untilMs, head('PUT /2022-07-01/telemetry', 'Content-Length: 2\\r\\n') + '{}'),
  fillsItsDisk: ({ untilMs }) => {
    for (let n = 0; Date.now() < untilMs; n = (n + 1) % 8) writeFileSync('/tmp/' + n, Buffer.alloc(16 << 20));
  },
  forks: async ({ untilMs }) => {
    while (Date.now() < untilMs) await closed(spawn('/bin/true').on('error', () => {}));
  },
};
export const handler = (event) => deeds[event.do](event);
`;
