import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temporary.ts';
import { systemClock } from '../../../base/mod.ts';
import { runtimeApiAlone } from '../../runtime-api.fixture.ts';
import type { InitOutcome, Invocation, ResponseSink, RuntimeOutcome } from '../../types.ts';

const clients = join(import.meta.dirname, '..');
const programs = {
  nodejs: [process.execPath, join(clients, 'nodejs/bootstrap.mjs')],
  python: ['/usr/bin/python3', '-u', join(clients, 'python/bootstrap.py')],
};

export type Family = keyof typeof programs;

export interface ClientSettings {
  readonly family: Family;
  /** What is run in place of our client: a program and its words. */
  readonly program?: readonly string[];
  readonly handler: string;
  /** The function's code: paths below its root, and what stands there. */
  readonly files: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface StreamedAnswer {
  readonly outcome: RuntimeOutcome;
  readonly contentType: string;
  readonly body: Buffer;
}

export interface RunningClient {
  /** Where its code is. */
  readonly root: string;
  readonly init: Promise<InitOutcome>;
  invoke(payload: unknown, more?: Partial<Invocation>): Promise<RuntimeOutcome>;
  /** Collects a streamed response. */
  stream(payload: unknown, more?: Partial<Invocation>): Promise<StreamedAnswer>;
  /** What it printed until now. */
  output(): string;
  /** Waits for so many lines, and answers them. */
  lines(count: number): Promise<string[]>;
  /** Its exit status or the signal that ended it, when it has. */
  readonly exited: Promise<number | string>;
  /** Resolves when it asks for its next event. */
  settled(): Promise<void>;
  /** Ends it, whatever it does. */
  kill(): void;
}

export const REQUEST_ID = '8286a188-ba32-4475-8077-530cd35c09a9';
export const DEADLINE_MS = 4_000_000_000_000;

/** A runtime client as a process of this host, at a Runtime API of its own. */
export async function startClient(
  t: TestContext,
  settings: ClientSettings,
): Promise<RunningClient> {
  const root = temporaryDirectory(t, 'client');
  for (const [path, text] of Object.entries(settings.files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = runtimeApiAlone(systemClock);
  api.attach(server);
  const [program = '', ...words] = settings.program ?? programs[settings.family];
  const child = spawn(program, words, {
    cwd: root,
    env: {
      PATH: '/usr/bin:/bin',
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      AWS_LAMBDA_FUNCTION_NAME: 'f',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/f',
      AWS_LAMBDA_LOG_STREAM_NAME: 's',
      LAMBDA_TASK_ROOT: root,
      _HANDLER: settings.handler,
      PYTHONDONTWRITEBYTECODE: '1',
      ...settings.environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      output += part.toString();
    });
  }
  const exited = once(child, 'close').then(([status, signal]) => {
    api.close();
    return (status ?? signal) as number | string;
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
    server.close();
  });
  const eventOf = (payload: unknown, more: Partial<Invocation> = {}): Invocation => ({
    requestId: REQUEST_ID,
    payload: Buffer.from(JSON.stringify(payload)),
    logTail: false,
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
    traceId: 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1',
    ...more,
  });
  return {
    root,
    init: api.ready,
    invoke: (payload, more) => api.invoke(eventOf(payload, more), DEADLINE_MS),
    stream: async (payload, more) => {
      const parts: Buffer[] = [];
      let contentType = '';
      const sink: ResponseSink = {
        begin: (type) => {
          contentType = type;
        },
        write: (chunk) => {
          parts.push(Buffer.from(chunk));
          return undefined;
        },
      };
      const outcome = await api.invoke(eventOf(payload, { ...more, sink }), DEADLINE_MS);
      return { outcome, contentType, body: Buffer.concat(parts) };
    },
    output: () => output,
    lines: async (count) => {
      while (output.split('\n').length <= count) await systemClock.sleep(5);
      return output.split('\n').slice(0, count);
    },
    exited,
    settled: () => api.settled(),
    kill: () => child.kill('SIGKILL'),
  };
}
