import { type Command, InvalidArgumentError } from 'commander';
import { formatBytes, limits, SluiceError, systemClock } from '../../base/mod.ts';
import { functionPath, functionsPath, LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, wholeNumber, withDataOptions } from '../options.ts';
import { createOutput, formatTable } from '../output.ts';

const POLL_MS = 200;

interface Configuration {
  readonly FunctionName: string;
  readonly FunctionArn: string;
  readonly State?: string;
  readonly StateReason?: string;
  readonly LastUpdateStatus?: string;
  readonly LastUpdateStatusReason?: string;
  readonly MemorySize: number;
  readonly Timeout: number;
  readonly CodeSize: number;
  readonly LastModified: string;
}

interface CreateOptions extends CommonOptions {
  readonly image: string;
  readonly memory?: number;
  readonly timeout?: number;
  readonly env?: Record<string, string>;
  readonly role: string;
  readonly command?: string[];
}

function collectVariable(
  text: string,
  before: Record<string, string> = {},
): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('NAME=VALUE is wanted');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Polls until neither a create nor an update is under way; a failed one is an error. */
async function untilSettled(client: LambdaClient, name: string): Promise<Configuration> {
  for (;;) {
    const now = await client.json<Configuration>('GET', functionPath(name, '/configuration'));
    const busy = now.State === 'Pending' || now.LastUpdateStatus === 'InProgress';
    if (!busy) {
      if (now.State === 'Failed' || now.LastUpdateStatus === 'Failed') {
        const reason = now.StateReason ?? now.LastUpdateStatusReason ?? 'no reason given';
        throw new SluiceError('API_REFUSED', `${name}: ${reason}`);
      }
      return now;
    }
    await systemClock.sleep(POLL_MS);
  }
}

function describe(configuration: Configuration): string {
  const { FunctionName, FunctionArn, State, MemorySize, Timeout, CodeSize } = configuration;
  const rows = [
    ['name', FunctionName],
    ['arn', FunctionArn],
    ['state', State ?? ''],
    ['memory', `${MemorySize} MB`],
    ['timeout', `${Timeout} s`],
    ['code', formatBytes(CodeSize)],
  ];
  return rows.map(([key, value]) => `${key?.padEnd(9)} ${value}`).join('\n');
}

function registerCreate(parent: Command): void {
  const command = parent
    .command('create <name>')
    .description('creates a function from an image and waits until it is active')
    .requiredOption('--image <reference>', 'registry/name:tag, oci:DIR[:tag], oci-archive:FILE, …')
    .option(
      '--memory <mb>',
      'memory in MB',
      wholeNumber(limits.lambda.memoryMbMin, limits.lambda.memoryMbMax),
    )
    .option(
      '--timeout <s>',
      'seconds an invoke may take',
      wholeNumber(1, limits.lambda.timeoutSecondsMax),
    )
    .option('--env <name=value>', 'an environment variable; may be repeated', collectVariable)
    .option('--command <word...>', "replaces the image's CMD")
    .option('--role <arn>', 'execution role', 'arn:aws:iam::000000000000:role/sluice');
  withDataOptions(command).action(async (name: string, options: CreateOptions) => {
    const client = new LambdaClient(options.data);
    await client.json('POST', functionsPath, {
      FunctionName: name,
      PackageType: 'Image',
      Code: { ImageUri: options.image },
      Role: options.role,
      MemorySize: options.memory,
      Timeout: options.timeout,
      Environment: options.env ? { Variables: options.env } : undefined,
      ImageConfig: options.command ? { Command: options.command } : undefined,
    });
    const active = await untilSettled(client, name);
    createOutput(options.json).answer(active, describe(active));
  });
}

function registerUpdate(parent: Command): void {
  const command = parent
    .command('update <name>')
    .description('gives a function a new image; the old one serves until the new is ready')
    .requiredOption('--image <reference>', 'the new image');
  withDataOptions(command).action(
    async (name: string, options: CommonOptions & { image: string }) => {
      const client = new LambdaClient(options.data);
      await client.json('PUT', functionPath(name, '/code'), { ImageUri: options.image });
      const active = await untilSettled(client, name);
      createOutput(options.json).answer(active, describe(active));
    },
  );
}

async function listAll(client: LambdaClient): Promise<Configuration[]> {
  const all: Configuration[] = [];
  let marker: string | undefined;
  do {
    const query = marker ? `?Marker=${encodeURIComponent(marker)}` : '';
    const page = await client.json<{ Functions: Configuration[]; NextMarker?: string }>(
      'GET',
      `${functionsPath}${query}`,
    );
    all.push(...page.Functions);
    marker = page.NextMarker;
  } while (marker);
  return all;
}

export function registerFunction(program: Command): void {
  const parent = program.command('function').description('creates, shows and deletes functions');
  registerCreate(parent);
  registerUpdate(parent);
  withDataOptions(parent.command('list').description('lists the functions')).action(
    async (options: CommonOptions) => {
      const all = await listAll(new LambdaClient(options.data));
      const rows = all.map((each) => [
        each.FunctionName,
        each.State ?? 'Active',
        `${each.MemorySize}`,
        `${each.Timeout}`,
        formatBytes(each.CodeSize),
        each.LastModified.slice(0, 19),
      ]);
      const header = ['name', 'state', 'MB', 'timeout s', 'code', 'modified'];
      createOutput(options.json).answer(
        all,
        rows.length > 0 ? formatTable(header, rows) : 'no functions',
      );
    },
  );
  withDataOptions(parent.command('get <name>').description('shows one function')).action(
    async (name: string, options: CommonOptions) => {
      const client = new LambdaClient(options.data);
      const found = await client.json<Configuration>('GET', functionPath(name, '/configuration'));
      createOutput(options.json).answer(found, describe(found));
    },
  );
  withDataOptions(parent.command('delete <name>').description('deletes a function')).action(
    async (name: string, options: CommonOptions) => {
      await new LambdaClient(options.data).call('DELETE', functionPath(name));
      createOutput(options.json).answer({ deleted: name }, `deleted ${name}`);
    },
  );
}
