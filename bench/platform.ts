import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { basename, join } from 'node:path';
import {
  CreateFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { formatTable } from '../src/cli/mod.ts';
import { parseCredentials } from '../src/config/mod.ts';
import { repositoryRoot } from '../test/repo/repository.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { type RunningRegion, readMetric, startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { medianOf, quantileOf } from './support/statistics.ts';
import { trivialInvokesPerSecond } from './support/trivial-runtime-api.ts';

export const title =
  'warm invokes on 1 and 16 connections, cold starts and their parts, 100 at once, idle functions';

const WARM_UP = 300;
const SECONDS = 5;
const COLD_FUNCTIONS = 5;
const PARALLEL = 100;
const IDLE_FUNCTIONS = 10;
const PHASES = ['lease', 'device', 'sandbox', 'init'] as const;

function clientOf(region: RunningRegion, connections: number): LambdaClient {
  const file = region.credentialsFile;
  const [credentials] = parseCredentials(readFileSync(file, 'utf8'), file);
  if (!credentials) throw new Error(`${file}: has no credentials`);
  const httpAgent = new Agent({ keepAlive: true, maxSockets: connections });
  const { endpoint } = region;
  const requestHandler = { httpAgent };
  return new LambdaClient({
    endpoint,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
    requestHandler,
  });
}

async function create(client: LambdaClient, name: string, imageUri: string): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      PackageType: 'Image',
      Code: { ImageUri: imageUri },
      Role: 'arn:aws:iam::000000000000:role/any',
      MemorySize: 1769,
      Timeout: 60,
    }),
  );
  for (;;) {
    const { Configuration } = await client.send(new GetFunctionCommand({ FunctionName: name }));
    if (Configuration?.State === 'Active') return;
    if (Configuration?.State === 'Failed') throw new Error(Configuration.StateReason);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Answers the milliseconds that it took; throws if the function failed. */
async function invoke(client: LambdaClient, name: string): Promise<number> {
  const startMs = performance.now();
  const command = new InvokeCommand({ FunctionName: name, Payload: '{"mode":"echo"}' });
  const { StatusCode, FunctionError } = await client.send(command);
  if (StatusCode !== 200 || FunctionError) throw new Error(`${StatusCode} ${FunctionError}`);
  return performance.now() - startMs;
}

/** Callers that each invoke as soon as they have their answer. */
async function warm(region: RunningRegion, name: string, connections: number) {
  const client = clientOf(region, connections);
  const times: number[] = [];
  const untilOf = (ms: number) => performance.now() + ms;
  const call = async (untilMs: number, keep: boolean) => {
    while (performance.now() < untilMs) {
      const ms = await invoke(client, name);
      if (keep) times.push(ms);
    }
  };
  const callers = Array.from({ length: connections });
  for (let i = 0; i < WARM_UP; i += connections) {
    await Promise.all(callers.map(() => invoke(client, name)));
  }
  const startMs = performance.now();
  const untilMs = untilOf(SECONDS * 1000);
  await Promise.all(callers.map(() => call(untilMs, true)));
  const perSecond = (times.length * 1000) / (performance.now() - startMs);
  client.destroy();
  return { perSecond, msP50: quantileOf(times, 0.5), msP99: quantileOf(times, 0.99) };
}

async function phaseSums(region: RunningRegion): Promise<Record<string, number>> {
  const text = await (await fetch(`${region.endpoint}/metrics`)).text();
  const sums: Record<string, number> = {};
  for (const phase of PHASES) {
    const found = new RegExp(
      `^sluice_cold_start_seconds_sum\\{phase="${phase}"\\} (\\S+)$`,
      'm',
    ).exec(text);
    sums[phase] = Number(found?.[1] ?? 0);
  }
  return sums;
}

/** First invokes of functions that nobody has invoked, one after the other, and their parts. */
async function cold(region: RunningRegion, imageUri: string) {
  const client = clientOf(region, 1);
  const before = await phaseSums(region);
  const times: number[] = [];
  for (let n = 0; n < COLD_FUNCTIONS; n++) {
    await create(client, `cold-${n}`, imageUri);
    times.push(await invoke(client, `cold-${n}`));
  }
  const after = await phaseSums(region);
  client.destroy();
  const parts = PHASES.map((phase) => [
    `${phase}Ms`,
    (((after[phase] ?? 0) - (before[phase] ?? 0)) * 1000) / COLD_FUNCTIONS,
  ]);
  return { msMedian: medianOf(times), ...Object.fromEntries(parts) } as Record<string, number>;
}

/** As many first invokes of one function at once: all have to be answered. */
async function burst(region: RunningRegion, imageUri: string) {
  const client = clientOf(region, PARALLEL);
  await create(client, 'burst', imageUri);
  const startMs = performance.now();
  const all = Array.from({ length: PARALLEL }, () => invoke(client, 'burst'));
  const settled = await Promise.allSettled(all);
  const ms = performance.now() - startMs;
  const answered = settled.filter((each) => each.status === 'fulfilled').length;
  const coldStarts = await readMetric(region, 'sluice_cold_starts_total');
  client.destroy();
  return { answered, ms, coldStarts };
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** What functions cost that are there and do nothing. */
async function idle(region: RunningRegion, imageUri: string) {
  const pid = region.process.pid ?? 0;
  const client = clientOf(region, 4);
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  const before = { bytes: residentBytes(pid), descriptors: descriptors() };
  for (let n = 0; n < IDLE_FUNCTIONS; n++) await create(client, `idle-${n}`, imageUri);
  client.destroy();
  return {
    functions: IDLE_FUNCTIONS,
    bytesEach: (residentBytes(pid) - before.bytes) / IDLE_FUNCTIONS,
    descriptorsMore: descriptors() - before.descriptors,
  };
}

/** One part of the benchmark, in a region of its own; prints its figures as soon as it has them. */
async function part<T extends object>(
  path: string,
  work: (region: RunningRegion) => Promise<T>,
): Promise<T> {
  const region = await startRegion(undefined, path);
  try {
    const figures = await work(region);
    print({ [basename(path)]: figures });
    return figures;
  } finally {
    await region.stop();
  }
}

export async function run(): Promise<unknown> {
  const scratch = scratchDirectory('bench-platform');
  try {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const trivialPerSecond = await trivialInvokesPerSecond(
      join(repositoryRoot, 'examples/demo/image/bootstrap.mjs'),
      join(repositoryRoot, 'test/e2e/image'),
      'handler.handler',
      SECONDS,
    );
    print({ trivialPerSecond });
    const warmed = await part(join(scratch.path, 'warm'), async (region) => {
      const client = clientOf(region, 1);
      await create(client, 'warm', image);
      client.destroy();
      const one = await warm(region, 'warm', 1);
      return { one, sixteen: await warm(region, 'warm', 16) };
    });
    return {
      trivialPerSecond,
      warm: warmed,
      burst: await part(join(scratch.path, 'burst'), (region) => burst(region, image)),
      cold: await part(join(scratch.path, 'cold'), (region) => cold(region, image)),
      idle: await part(join(scratch.path, 'idle'), (region) => idle(region, image)),
    };
  } finally {
    scratch.remove();
  }
}

function print(figures: object): void {
  process.stdout.write(`${formatTable(['figure', 'value'], rowsOf(figures))}\n`);
}

function rowsOf(value: object, prefix = ''): string[][] {
  return Object.entries(value).flatMap(([name, each]: [string, unknown]) =>
    typeof each === 'object' && each !== null
      ? rowsOf(each, `${prefix}${name} `)
      : [[`${prefix}${name}`, Number(each).toFixed(2)]],
  );
}
