import * as sdk from '@aws-sdk/client-lambda';
import type { ClientCase, ClientResult } from './cases.ts';

type Send = new (input: object) => Parameters<sdk.LambdaClient['send']>[0];
type Wait = (settings: object, input: object) => Promise<unknown>;

const all = sdk as unknown as Readonly<Record<string, unknown>>;

/** Archives come as base64; this client takes bytes. */
function withBytes(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const entries = Object.entries(given).map(([name, value]) => [
    name,
    name === 'ZipFile' ? Buffer.from(String(value), 'base64') : withBytes(value),
  ]);
  return Object.fromEntries(entries);
}

async function runCase(
  client: sdk.LambdaClient,
  { operation, input }: ClientCase,
): Promise<ClientResult> {
  try {
    if (operation.startsWith('wait:')) {
      const settings = { client, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.2 };
      await (all[`waitUntil${operation.slice(5)}`] as Wait)(settings, input);
      return {};
    }
    const Command = all[`${operation}Command`] as Send;
    const request = new Command(withBytes(input) as object);
    const answer = { ...(await client.send(request)) } as Record<string, unknown>;
    const { Payload } = answer;
    return Payload ? { ...answer, Payload: Buffer.from(Payload as Uint8Array).toString() } : answer;
  } catch (error) {
    return (error as Error).name;
  }
}

/** The cases one after another with the AWS SDK for JavaScript. */
export async function runWithSdk(
  client: sdk.LambdaClient,
  cases: readonly ClientCase[],
): Promise<ClientResult[]> {
  const results: ClientResult[] = [];
  for (const each of cases) results.push(await runCase(client, each));
  return results;
}
