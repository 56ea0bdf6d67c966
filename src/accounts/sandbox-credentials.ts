import type { Random } from '../base/mod.ts';
import { newAccessKey } from '../config/mod.ts';
import type { Credential, CredentialStore } from './credentials.ts';

const TOKEN_BYTES = 96;

/** Whose sandbox it is, as far as its keys have to say. */
export interface CredentialHolder {
  readonly accountId: string;
  readonly functionArn: string;
  readonly role?: string | undefined;
}

export interface SandboxKeys {
  readonly environment: Readonly<Record<string, string>>;
  revoke(): void;
}

/**
 * The temporary keys of running sandboxes, before those of accounts: each sandbox has its own, for
 * as long as it lives. No identity policy is theirs, so they may do what a function's own policy
 * allows the role of the sandbox's function, and nothing else.
 */
export class SandboxCredentials implements CredentialStore {
  readonly #accounts: CredentialStore;
  readonly #random: Random;
  readonly #issued = new Map<string, Credential>();

  constructor(accounts: CredentialStore, random: Random) {
    this.#accounts = accounts;
    this.#random = random;
  }

  find(accessKeyId: string): ReturnType<CredentialStore['find']> {
    return this.#issued.get(accessKeyId) ?? this.#accounts.find(accessKeyId);
  }

  keysOf(principalArn: string): ReturnType<CredentialStore['keysOf']> {
    return this.#accounts.keysOf(principalArn);
  }

  /** Keys for one sandbox, in the environment variables by which AWS's clients find them. */
  issue(owner: CredentialHolder): SandboxKeys {
    const { accountId } = owner;
    const key = newAccessKey(this.#random, accountId);
    // As AWS marks keys that hold only together with a session token.
    const accessKeyId = key.accessKeyId.replace(/^AKIA/, 'ASIA');
    const { secretAccessKey } = key;
    const sessionToken = this.#random.bytes(TOKEN_BYTES).toString('base64');
    const principalArn = principalOf(owner);
    const credential = { accessKeyId, secretAccessKey, sessionToken, accountId, principalArn };
    this.#issued.set(accessKeyId, { ...credential, policies: [] });
    return {
      environment: {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_SESSION_TOKEN: sessionToken,
      },
      revoke: () => {
        this.#issued.delete(accessKeyId);
      },
    };
  }
}

/** The function's role; a role of another account names nobody here, so then it is the function. */
function principalOf({ accountId, role, functionArn }: CredentialHolder): string {
  return role?.startsWith(`arn:aws:iam::${accountId}:role/`) ? role : functionArn;
}
