import { type Command, InvalidArgumentError } from 'commander';
import { limits, SluiceError } from '../../base/mod.ts';
import { type CodePackage, packCode } from '../code-package.ts';
import { functionPath, type LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, wholeNumber } from '../options.ts';

/** What `function create` and `function update` take alike. */
export interface FunctionOptions extends CommonOptions {
  readonly image?: string;
  readonly zip?: string;
  readonly runtime?: string;
  readonly handler?: string;
  readonly layer?: readonly string[];
  readonly memory?: number;
  readonly timeout?: number;
  readonly tmp?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly role?: string;
  readonly description?: string;
  readonly onSuccess?: string;
  readonly onFailure?: string;
  readonly retries?: number;
}

function collectVariable(
  text: string,
  before: Record<string, string> = {},
): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('NAME=VALUE is wanted');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

const collect = (text: string, before: readonly string[] = []) => [...before, text];

export function withFunctionOptions(command: Command): Command {
  const { lambda } = limits;
  return command
    .option('--image <reference>', 'registry/name:tag, oci:DIR[:tag], oci-archive:FILE, …')
    .option('--zip <path>', 'a zip archive, a directory, or one file of code')
    .option('--runtime <name>', 'nodejs24.x, python3.13, provided.al2023, …')
    .option('--handler <name>', 'FILE.FUNCTION')
    .option('--layer <name>', 'NAME, NAME:VERSION or an ARN; may be repeated', collect)
    .option('--memory <mb>', 'memory in MB', wholeNumber(lambda.memoryMbMin, lambda.memoryMbMax))
    .option('--timeout <s>', 'seconds an invoke may take', wholeNumber(1, lambda.timeoutSecondsMax))
    .option('--tmp <mb>', 'size of /tmp', wholeNumber(lambda.ephemeralMbMin, lambda.ephemeralMbMax))
    .option('--env <name=value>', 'an environment variable; may be repeated', collectVariable)
    .option('--command <word...>', "replaces the image's CMD")
    .option('--role <arn>', 'execution role')
    .option('--description <text>', 'what it is for')
    .option('--on-success <target>', 'where results of async invokes go')
    .option('--on-failure <target>', 'where failed async invokes go: an ARN, a URL, directory:NAME')
    .option('--retries <n>', 'further tries of an async invoke that fails', wholeNumber(0, 2));
}

/** The code that the options name, if they name any. Throws `USAGE` for two. */
export function codeOf({ image, zip }: FunctionOptions): CodePackage | undefined {
  if (image !== undefined && zip !== undefined) {
    throw new SluiceError('USAGE', '--image and --zip: give one of them');
  }
  return zip === undefined ? undefined : packCode(zip);
}

interface LayerVersion {
  readonly LayerVersionArn: string;
}

/** The ARN of `NAME` (the newest version), `NAME:VERSION` or an ARN. */
async function layerArn(client: LambdaClient, word: string): Promise<string> {
  if (word.startsWith('arn:')) return word;
  const [name = '', version] = word.split(':');
  const path = `/2018-10-31/layers/${encodeURIComponent(name)}/versions`;
  if (version !== undefined) {
    return (await client.json<LayerVersion>('GET', `${path}/${version}`)).LayerVersionArn;
  }
  const page = await client.json<{ LayerVersions: LayerVersion[] }>('GET', `${path}?MaxItems=1`);
  const [newest] = page.LayerVersions;
  if (newest) return newest.LayerVersionArn;
  throw new SluiceError('API_REFUSED', `${name}: there is no such layer; see “sluice layer list”`);
}

/** The members that a create and an update of the configuration have alike; absent ones stay. */
export async function configurationMembers(client: LambdaClient, options: FunctionOptions) {
  const { layer, env, command, tmp } = options;
  const layers = layer && (await Promise.all(layer.map((word) => layerArn(client, word))));
  return {
    Runtime: options.runtime,
    Handler: options.handler,
    Layers: layers,
    MemorySize: options.memory,
    Timeout: options.timeout,
    EphemeralStorage: tmp === undefined ? undefined : { Size: tmp },
    Environment: env ? { Variables: env } : undefined,
    ImageConfig: command ? { Command: command } : undefined,
    Role: options.role,
    Description: options.description,
  };
}

/** Where asynchronous invokes end, if the options say. */
export async function configureAsync(
  client: LambdaClient,
  name: string,
  { onSuccess, onFailure, retries }: FunctionOptions,
): Promise<void> {
  if (onSuccess === undefined && onFailure === undefined && retries === undefined) return;
  const target = (destination: string | undefined) =>
    destination === undefined ? undefined : { Destination: destination };
  const path = functionPath(name, '/event-invoke-config').replace('2015-03-31', '2019-09-25');
  await client.json('PUT', path, {
    MaximumRetryAttempts: retries,
    DestinationConfig: { OnSuccess: target(onSuccess), OnFailure: target(onFailure) },
  });
}
