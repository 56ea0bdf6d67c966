import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileError, SluiceError, systemClock, systemErrorCode } from '../base/mod.ts';
import { defaultAccountId, replaceFileSync } from '../config/mod.ts';
import {
  type Credentials,
  findCredentials,
  type RepositoryName,
  registryAuthFiles,
} from '../oci/mod.ts';

const ACCOUNT = /^\d{12}$/;
/** A host, or a part of what it holds. */
const HOST = /^[A-Za-z0-9.-]+(:\d{1,5})?(\/[a-z0-9._-]+)*$/;

export interface RegistryLogin {
  readonly accountId: string;
  readonly registry: string;
  readonly username: string;
}

export interface RegistryLoginsOptions {
  /** Files in docker's form, one an account; 0600. */
  readonly directory: string;
  /** Whether the operator's own credentials serve every account. */
  readonly shared: boolean;
  /** In docker's form; where skopeo and docker look for the operator's credentials if absent. */
  readonly operatorFile?: string | undefined;
}

type Auths = Record<string, { readonly auth: string }>;

/** Each account's credentials for registries: no account pulls with another's. */
export class RegistryLogins {
  readonly #options: RegistryLoginsOptions;

  constructor(options: RegistryLoginsOptions) {
    this.#options = options;
  }

  /**
   * What the account has for a repository, by the longest path that it has logged in to; the
   * operator's own account has the host's as well.
   */
  async find(accountId: string, repository: RepositoryName): Promise<Credentials | undefined> {
    const own = ACCOUNT.test(accountId)
      ? await findCredentials(repository, [this.#path(accountId)], systemClock)
      : undefined;
    const isOperators = accountId === defaultAccountId || this.#options.shared;
    if (own || !isOperators) return own;
    return this.findOperators(repository);
  }

  async findOperators(repository: RepositoryName): Promise<Credentials | undefined> {
    const { operatorFile } = this.#options;
    const hosts = operatorFile ? [operatorFile] : registryAuthFiles(process.env, homedir());
    return findCredentials(repository, [this.#path(defaultAccountId), ...hosts], systemClock);
  }

  /** Throws `USAGE` for what is no account, host, or name of a user. */
  async login(login: RegistryLogin, password: string): Promise<void> {
    const { accountId, registry, username } = login;
    if (!HOST.test(registry))
      throw usage(registry, 'a registry is HOST, HOST:PORT, or a path in one');
    if (username === '' || username.includes(':')) throw usage(username, 'no name of a user');
    if (password === '') throw usage(registry, 'no password; it is read from standard input');
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    await this.#write(accountId, { ...(await this.#read(accountId)), [registry]: { auth } });
  }

  /** Answers whether there was one. */
  async logout(accountId: string, registry: string): Promise<boolean> {
    const { [registry]: gone, ...rest } = await this.#read(accountId);
    if (gone) await this.#write(accountId, rest);
    return gone !== undefined;
  }

  async list(): Promise<RegistryLogin[]> {
    const { directory } = this.#options;
    const names = await readdir(directory).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw fileError(error, directory);
    });
    const accounts = names.flatMap((name) => /^(\d{12})\.json$/.exec(name)?.[1] ?? []);
    const logins = accounts.sort().map(async (accountId) =>
      Object.entries(await this.#read(accountId)).map(([registry, { auth }]) => {
        const [username = ''] = Buffer.from(auth, 'base64').toString('utf8').split(':', 1);
        return { accountId, registry, username };
      }),
    );
    return (await Promise.all(logins)).flat();
  }

  async #read(accountId: string): Promise<Auths> {
    const path = this.#path(accountId);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return '{}';
      throw fileError(error, path);
    });
    try {
      const { auths } = JSON.parse(text) as { auths?: Auths };
      return auths ?? {};
    } catch (cause) {
      throw new SluiceError('CONFIG_INVALID', `${path}: cannot be read; mend it or remove it`, {
        cause,
      });
    }
  }

  async #write(accountId: string, auths: Auths): Promise<void> {
    const path = this.#path(accountId);
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    replaceFileSync(path, JSON.stringify({ auths }));
    if (Object.keys(auths).length === 0) await rm(path);
  }

  #path(accountId: string): string {
    if (!ACCOUNT.test(accountId)) throw usage(accountId, 'an account has 12 digits');
    return join(this.#options.directory, `${accountId}.json`);
  }
}

function usage(what: string, why: string): SluiceError {
  return new SluiceError('USAGE', `${what}: ${why}`);
}
