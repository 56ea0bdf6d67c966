// What the end-to-end tests invoke: each mode is one way for a function to behave or misbehave.
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';

let invokes = 0;
const bornAt = Date.now();
const sandbox = randomUUID();

const modes = {
  echo: (event) => ({ ...event, invokes, bornAt, sandbox }),
  throw: () => {
    throw new RangeError('out of range');
  },
  exit: (event) => process.exit(event.status ?? 0),
  writeAndHang: (event) => {
    writeFileSync(event.path, 'kept', { mode: 0o600 });
    return modes.hang();
  },
  hang: () => new Promise(() => setInterval(() => {}, 1000)),
  print: (event) => {
    process.stdout.write(`${'x'.repeat(event.lineChars ?? 1023)}\n`.repeat(event.lines ?? 1024));
    return 'printed';
  },
  say: (event) => {
    console.log(event.text);
    return null;
  },
  big: (event) => 'x'.repeat(event.chars),
  environment: () => ({ ...process.env, cwd: process.cwd(), uid: process.getuid() }),
  write: (event) => {
    writeFileSync(event.path, 'x'.repeat(event.bytes ?? 1));
    return existsSync(event.path);
  },
  read: (event) => readFileSync(event.path, 'utf8'),
  list: (event) => readdirSync(event.path).sort(),
  connect: (event) =>
    new Promise((resolve) => {
      const socket = net.connect({ host: event.host, port: event.port, timeout: 1000 });
      socket.on('connect', () => resolve('connected'));
      socket.on('timeout', () => resolve('timeout'));
      socket.on('error', (error) => resolve(error.code));
    }),
  sleep: (event) => new Promise((resolve) => setTimeout(resolve, event.ms, { sandbox })),
};

/** Messages of a queue: each says how long it takes and how many receives it fails. */
async function takeBatch(records) {
  const batchItemFailures = [];
  for (const { messageId, body, attributes } of records) {
    const { ms = 0, failures = 0 } = JSON.parse(body);
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (Number(attributes.ApproximateReceiveCount) <= failures) {
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures };
}

export async function handler(event) {
  invokes += 1;
  if (event.Records) return takeBatch(event.Records);
  return modes[event.mode ?? 'echo'](event);
}
