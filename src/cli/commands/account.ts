import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parseIdentityPolicy } from '../../accounts/mod.ts';
import { systemClock, systemRandom } from '../../base/mod.ts';
import { type AccessKey, ensureDataDirectory, formatCredentials } from '../../config/mod.ts';
import type { Accounts } from '../../serve/mod.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput, formatTable, type Output } from '../output.ts';

async function withAccounts(
  options: CommonOptions,
  work: (accounts: Accounts, output: Output) => void,
): Promise<void> {
  const { Accounts, checkLocalParts } = await import('../../serve/mod.ts');
  const data = ensureDataDirectory(options.data);
  checkLocalParts(data);
  const output = createOutput(options.json);
  const accounts = Accounts.open(data, systemClock, systemRandom, (_, error) => output.fail(error));
  try {
    work(accounts, output);
  } finally {
    accounts.close();
  }
}

function printKey(output: Output, key: AccessKey): void {
  output.answer(key, formatCredentials([key]).trimEnd());
}

function printAccounts({ store }: Accounts, output: Output): void {
  const accounts = store.listAccounts().map((account) => ({
    ...account,
    keys: store.listKeys(account.accountId).map(({ secretAccessKey: _, ...key }) => key),
  }));
  const rows = accounts.flatMap(({ accountId, name, keys }) =>
    keys.map((key) => [
      accountId,
      name,
      key.accessKeyId,
      key.userName ?? 'root',
      key.disabled ? 'disabled' : 'enabled',
    ]),
  );
  output.answer(accounts, formatTable(['account', 'name', 'access key', 'user', 'state'], rows));
}

/** Accounts and access keys; a running region sees each change at the next request. */
export function registerAccount(program: Command): void {
  const parent = program.command('account').description('manages accounts and their access keys');
  const add = parent.command('add <id>').description('makes an account and prints its root key');
  withDataOptions(add.option('--name <name>', 'what people call it', '')).action(
    (id: string, options: CommonOptions & { name: string }) =>
      withAccounts(options, (accounts, output) => printKey(output, accounts.add(id, options.name))),
  );
  withDataOptions(parent.command('list').description('lists accounts and their keys')).action(
    (options: CommonOptions) => withAccounts(options, printAccounts),
  );
  const addKey = parent
    .command('add-key <id>')
    .description("makes another key of an account: a user's, with policies, or the root's")
    .option('--user <name>', 'the user that the key belongs to')
    .option('--policy <file>', 'an IAM policy that says what the key may do (JSON)');
  withDataOptions(addKey).action(
    (id: string, options: CommonOptions & { user?: string; policy?: string }) =>
      withAccounts(options, (accounts, output) => {
        const policies = options.policy
          ? [parseIdentityPolicy(readFileSync(options.policy, 'utf8'), options.policy)]
          : undefined;
        printKey(output, accounts.addKey({ accountId: id, userName: options.user, policies }));
      }),
  );
  const rotate = parent
    .command('rotate <access-key>')
    .description('prints a new key with the same rights, and disables the old');
  withDataOptions(rotate).action((id: string, options: CommonOptions) =>
    withAccounts(options, (accounts, output) => printKey(output, accounts.rotate(id))),
  );
  for (const [name, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    const command = parent.command(`${name} <access-key>`).description(`${name}s a key`);
    withDataOptions(command).action((id: string, options: CommonOptions) =>
      withAccounts(options, (accounts, output) => {
        accounts.setDisabled(id, disabled);
        output.answer({ accessKeyId: id, disabled }, `${id} is ${name}d`);
      }),
    );
  }
}
