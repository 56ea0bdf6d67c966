import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { RegistryLogins } from '../../accounts/mod.ts';
import { defaultAccountId, ensureDataDirectory } from '../../config/mod.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput, formatTable } from '../output.ts';

type AccountOptions = CommonOptions & { readonly account: string };

const loginsOf = (options: CommonOptions) =>
  new RegistryLogins({
    directory: ensureDataDirectory(options.data).registryLogins,
    shared: false,
  });

/** Credentials for registries belong to accounts; a running region uses each change at once. */
export function registerRegistry(program: Command): void {
  const parent = program
    .command('registry')
    .description("manages accounts' credentials for image registries");
  const login = parent
    .command('login <host>')
    .description('keeps a user and a password, read from standard input, for one account')
    .requiredOption('--username <name>', 'the user at the registry')
    .option('--account <id>', 'whose images are pulled with them', defaultAccountId);
  withDataOptions(login).action(
    async (host: string, options: AccountOptions & { username: string }) => {
      const { account: accountId, username } = options;
      const password = (await text(process.stdin)).replace(/\r?\n$/, '');
      await loginsOf(options).login({ accountId, registry: host, username }, password);
      const answer = { account: accountId, registry: host, username };
      const said = `images of account ${accountId} are pulled from ${host} as ${username}`;
      createOutput(options.json).answer(answer, said);
    },
  );
  const logout = parent
    .command('logout <host>')
    .description("forgets an account's credentials for a registry")
    .option('--account <id>', 'whose they are', defaultAccountId);
  withDataOptions(logout).action(async (host: string, options: AccountOptions) => {
    const { account } = options;
    const removed = await loginsOf(options).logout(account, host);
    const said = removed ? 'forgotten' : `account ${account} has no login at ${host}`;
    createOutput(options.json).answer({ account, registry: host, removed }, said);
  });
  withDataOptions(parent.command('list').description('lists logins, without passwords')).action(
    async (options: CommonOptions) => {
      const logins = await loginsOf(options).list();
      const rows = logins.map((each) => [each.accountId, each.registry, each.username]);
      createOutput(options.json).answer(logins, formatTable(['account', 'registry', 'user'], rows));
    },
  );
}
