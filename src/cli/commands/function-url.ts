import { type Command, Option } from 'commander';
import { isSluiceError } from '../../base/mod.ts';
import { functionPath, LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';

interface UrlOptions extends CommonOptions {
  readonly auth: 'NONE' | 'AWS_IAM';
}

interface UrlConfig {
  readonly FunctionUrl: string;
  readonly AuthType: string;
}

const STATEMENT = 'sluice-function-url';

/** What lets everybody in: a URL without authentication still asks the function's policy. */
async function openToAll(client: LambdaClient, name: string): Promise<void> {
  try {
    await client.json('POST', functionPath(name, '/policy'), {
      StatementId: STATEMENT,
      Action: 'lambda:InvokeFunctionUrl',
      Principal: '*',
      FunctionUrlAuthType: 'NONE',
    });
  } catch (error) {
    const known = isSluiceError(error, 'API_REFUSED') && error.data['status'] === 409;
    if (!known) throw error;
  }
}

export function registerFunctionUrl(parent: Command): void {
  const command = parent
    .command('url <name>')
    .description('gives a function an address of its own, open to all unless --auth says otherwise')
    .addOption(
      new Option('--auth <type>', 'who may call it').choices(['NONE', 'AWS_IAM']).default('NONE'),
    );
  withDataOptions(command).action(async (name: string, options: UrlOptions) => {
    const client = new LambdaClient(options.data);
    const path = functionPath(name, '/url').replace('2015-03-31', '2021-10-31');
    let config: UrlConfig;
    try {
      config = await client.json<UrlConfig>('POST', path, { AuthType: options.auth });
    } catch (error) {
      const known = isSluiceError(error, 'API_REFUSED') && error.data['status'] === 409;
      if (!known) throw error;
      config = await client.json<UrlConfig>('PUT', path, { AuthType: options.auth });
    }
    if (options.auth === 'NONE') await openToAll(client, name);
    createOutput(options.json).answer(config, config.FunctionUrl);
  });
}
