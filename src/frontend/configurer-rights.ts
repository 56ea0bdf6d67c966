import type { Credential, CredentialStore } from '../accounts/mod.ts';
import type { FunctionCache, FunctionReference } from '../catalogue/mod.ts';
import type { ConfigurerRights } from '../delivery/mod.ts';
import { ApiError } from './api-error.ts';
import { authorizeAction, authorizeOwnInvoke } from './authorization.ts';
import { sendingAction } from './destinations.ts';

export interface ConfigurerRightsOptions {
  readonly credentials: CredentialStore;
  readonly cache: FunctionCache;
  readonly region: string;
}

const ofAccount = /^arn:aws:iam::\d{12}:(root|user\/)/;

/**
 * The rights of who configured a destination, as they are when something is delivered there: a root or
 * a user has them by his keys, as long as one is not disabled; a sandbox, whose keys ended with it, has
 * what the function's policy allows its role.
 */
export function configurerRights(options: ConfigurerRightsOptions): ConfigurerRights {
  const { credentials, cache, region } = options;
  /** As whom `principalArn` may act in the account now. */
  const callersOf = async (principalArn: string, accountId: string): Promise<Credential[]> => {
    const keys = await credentials.keysOf(principalArn);
    const role: Credential = {
      accessKeyId: '',
      secretAccessKey: '',
      accountId,
      principalArn,
      policies: [],
    };
    const callers = ofAccount.test(principalArn) ? keys : [role];
    return callers.filter((caller) => !caller.disabled && caller.accountId === accountId);
  };
  return {
    async mayInvoke(principalArn, { accountId, functionName: name, qualifier }) {
      const reference: FunctionReference = { accountId, name, qualifier };
      const record = await cache.read(reference);
      const callers = await callersOf(principalArn, accountId);
      return callers.some((caller) =>
        isAllowed(() => authorizeOwnInvoke({ region }, caller, reference, record)),
      );
    },
    async maySend(principalArn, accountId, targetArn) {
      const action = sendingAction(targetArn);
      const callers = await callersOf(principalArn, accountId);
      return callers.some((caller) =>
        isAllowed(() => authorizeAction({ region }, caller, action, targetArn)),
      );
    },
  };
}

function isAllowed(ask: () => void): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}
