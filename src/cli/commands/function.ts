import type { Command } from 'commander';
import { formatBytes, SluiceError } from '../../base/mod.ts';
import {
  type Configuration,
  describe,
  getConfiguration,
  kindOf,
  untilSettled,
} from '../function-api.ts';
import { functionPath, functionsPath, LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput, formatTable, paint } from '../output.ts';
import {
  codeOf,
  configurationMembers,
  configureAsync,
  type FunctionOptions,
  withFunctionOptions,
} from './function-options.ts';
import { registerFunctionUrl } from './function-url.ts';

const DEFAULT_ROLE = 'arn:aws:iam::000000000000:role/sluice';

/** The package's own members; with code that tells, runtime and handler need not be named. */
function packageMembers(options: FunctionOptions) {
  const code = codeOf(options);
  if (code) {
    const runtime = options.runtime ?? code.guess?.runtime;
    const handler = options.handler ?? code.guess?.handler;
    if (runtime && handler) {
      const ZipFile = code.archive.toString('base64');
      return { PackageType: 'Zip', Runtime: runtime, Handler: handler, Code: { ZipFile } };
    }
    throw new SluiceError(
      'USAGE',
      `${options.zip}: its files don't tell how to run it; give --runtime and --handler`,
    );
  }
  if (!options.image) throw new SluiceError('USAGE', '--image or --zip: one of them is wanted');
  return { PackageType: 'Image', Code: { ImageUri: options.image } };
}

function registerCreate(parent: Command): void {
  const command = parent
    .command('create <name>')
    .description('creates a function from an image or from code, and waits until it is active');
  withDataOptions(withFunctionOptions(command)).action(
    async (name: string, options: FunctionOptions) => {
      const client = new LambdaClient(options.data);
      await client.json('POST', functionsPath, {
        FunctionName: name,
        ...(await configurationMembers(client, { role: DEFAULT_ROLE, ...options })),
        ...packageMembers(options),
      });
      const active = await untilSettled(client, name);
      await configureAsync(client, name, options);
      createOutput(options.json).answer(active, describe(active));
    },
  );
}

function registerUpdate(parent: Command): void {
  const command = parent
    .command('update <name>')
    .description('changes code, configuration or both; the old serves until the new is ready');
  withDataOptions(withFunctionOptions(command)).action(
    async (name: string, options: FunctionOptions) => {
      const client = new LambdaClient(options.data);
      const members = await configurationMembers(client, options);
      if (Object.values(members).some((value) => value !== undefined)) {
        await client.json('PUT', functionPath(name, '/configuration'), members);
        await untilSettled(client, name);
      }
      const code = codeOf(options);
      if (code || options.image) {
        const source = { ImageUri: options.image, ZipFile: code?.archive.toString('base64') };
        await client.json('PUT', functionPath(name, '/code'), source);
      }
      await configureAsync(client, name, options);
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

const stateColours = { Active: 'green', Pending: 'yellow', Failed: 'red' } as const;

function formatList(all: readonly Configuration[]): string {
  if (all.length === 0) return 'no functions';
  const rows = all.map((each) => [
    each.FunctionName,
    each.State ?? 'Active',
    kindOf(each),
    `${each.MemorySize}`,
    `${each.Timeout}`,
    formatBytes(each.CodeSize),
    each.LastModified.slice(0, 19),
  ]);
  const header = ['name', 'state', 'runtime', 'MB', 'timeout s', 'code', 'modified'];
  return formatTable(header, rows, (cell) => {
    const colour = stateColours[cell.trim() as keyof typeof stateColours];
    return colour ? paint(colour, cell) : cell;
  });
}

export function registerFunction(program: Command): void {
  const parent = program.command('function').description('creates, shows and deletes functions');
  registerCreate(parent);
  registerUpdate(parent);
  registerFunctionUrl(parent);
  withDataOptions(parent.command('list').description('lists the functions')).action(
    async (options: CommonOptions) => {
      const all = await listAll(new LambdaClient(options.data));
      createOutput(options.json).answer(all, formatList(all));
    },
  );
  withDataOptions(parent.command('get <name>').description('shows one function')).action(
    async (name: string, options: CommonOptions) => {
      const found = await getConfiguration(new LambdaClient(options.data), name);
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
