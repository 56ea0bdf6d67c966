import { formatBytes, SluiceError, systemClock } from '../base/mod.ts';
import { functionPath, type LambdaClient } from './lambda-client.ts';

const POLL_MS = 200;

/** What the commands show of a function's configuration. */
export interface Configuration {
  readonly FunctionName: string;
  readonly FunctionArn: string;
  readonly PackageType: 'Image' | 'Zip';
  readonly Runtime?: string;
  readonly Handler?: string;
  readonly Layers?: readonly { readonly Arn: string }[];
  readonly Environment?: { readonly Variables: Readonly<Record<string, string>> };
  readonly State?: string;
  readonly StateReason?: string;
  readonly LastUpdateStatus?: string;
  readonly LastUpdateStatusReason?: string;
  readonly MemorySize: number;
  readonly Timeout: number;
  readonly CodeSize: number;
  readonly LastModified: string;
  /** What of its code was left out, mended or is not as named; a member of ours. */
  readonly Warnings?: readonly string[];
}

export function getConfiguration(client: LambdaClient, name: string): Promise<Configuration> {
  return client.json<Configuration>('GET', functionPath(name, '/configuration'));
}

/** Polls until neither a create nor an update is under way; a failed one is an error. */
export async function untilSettled(client: LambdaClient, name: string): Promise<Configuration> {
  for (;;) {
    const now = await getConfiguration(client, name);
    const busy = now.State === 'Pending' || now.LastUpdateStatus === 'InProgress';
    if (!busy) {
      if (now.State !== 'Failed' && now.LastUpdateStatus !== 'Failed') return now;
      const reason = now.StateReason ?? now.LastUpdateStatusReason ?? 'no reason given';
      throw new SluiceError('API_REFUSED', `${name}: ${reason}`);
    }
    await systemClock.sleep(POLL_MS);
  }
}

/** What a function is made of, in a word. */
export function kindOf({ PackageType, Runtime }: Configuration): string {
  return PackageType === 'Image' ? 'image' : (Runtime ?? '');
}

/** The facts of one function, a line each; values of variables stay where they are. */
export function describe(configuration: Configuration): string {
  const { FunctionName, FunctionArn, State, MemorySize, Timeout, CodeSize } = configuration;
  const { Handler, Layers = [], Environment, Warnings = [] } = configuration;
  const variables = Object.keys(Environment?.Variables ?? {});
  const rows: readonly (readonly [string, string])[] = [
    ['name', FunctionName],
    ['arn', FunctionArn],
    ['state', State ?? ''],
    ['runtime', kindOf(configuration)],
    ['handler', Handler ?? ''],
    ['memory', `${MemorySize} MB`],
    ['timeout', `${Timeout} s`],
    ['code', formatBytes(CodeSize)],
    ...Layers.map(({ Arn }) => ['layer', Arn] as const),
    ['variables', variables.join(', ')],
    ...Warnings.map((each) => ['warning', each] as const),
  ];
  return rows
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key.padEnd(9)} ${value}`)
    .join('\n');
}
