/** What the platform's benchmark calls functions with, and the warm invokes that it times. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { parseCredentials } from '../src/config/mod.ts';
import type { RunningRegion } from '../test/support/region.ts';
import { LightClient } from './support/light-client.ts';
import { cpuSecondsOfTree } from './support/processes.ts';
import { quantileOf } from './support/statistics.ts';

export const SECONDS = 5;
const WARM_UP = 300;
const LIGHT_WARM_UP = 2000;

export function clientOf(region: RunningRegion, connections: number): LambdaClient {
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

/** Answers the milliseconds that it took; throws if the function failed. */
export async function invoke(client: LambdaClient, name: string): Promise<number> {
  const startMs = performance.now();
  const command = new InvokeCommand({ FunctionName: name, Payload: '{"mode":"echo"}' });
  const { StatusCode, FunctionError } = await client.send(command);
  if (StatusCode !== 200 || FunctionError) throw new Error(`${StatusCode} ${FunctionError}`);
  return performance.now() - startMs;
}

/** Callers that each invoke as soon as they have their answer. */
export async function warm(region: RunningRegion, name: string, connections: number) {
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

/**
 * The same without the SDK's own time: what is left is the platform's, for the handler returns what
 * it is given. CPU is that of the region and all it started, so that it can be compared with the
 * trivial Runtime API's on a machine however busy.
 */
export async function overhead(region: RunningRegion, name: string, connections: number) {
  const clients = Array.from(
    { length: connections },
    () => new LightClient(region, name, '{"mode":"echo"}'),
  );
  const times: number[] = [];
  const callUntil = async (client: LightClient, untilMs: number) => {
    for (let startMs = performance.now(); startMs < untilMs; ) {
      await client.invoke();
      const nowMs = performance.now();
      times.push(nowMs - startMs);
      startMs = nowMs;
    }
  };
  // Every caller has a sandbox, and V8 has compiled what they use.
  for (let i = 0; i < LIGHT_WARM_UP; i += connections) {
    await Promise.all(clients.map((client) => client.invoke()));
  }
  const pid = region.process.pid ?? 0;
  const cpuBefore = cpuSecondsOfTree(pid);
  const startMs = performance.now();
  await Promise.all(clients.map((client) => callUntil(client, startMs + SECONDS * 1000)));
  const perSecond = (times.length * 1000) / (performance.now() - startMs);
  const cpuUsPerInvoke = ((cpuSecondsOfTree(pid) - cpuBefore) * 1e6) / times.length;
  for (const client of clients) client.close();
  const [msP50, msP99] = [quantileOf(times, 0.5), quantileOf(times, 0.99)];
  return { perSecond, msP50, msP99, cpuUsPerInvoke };
}
