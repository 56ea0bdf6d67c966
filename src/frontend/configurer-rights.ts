import type { Credential, CredentialStore } from '../accounts/mod.ts';
import type { FunctionCache, FunctionReference } from '../catalogue/mod.ts';
import type { ConfigurerRights } from '../delivery/mod.ts';
import { ApiError } from './api-error.ts';
import { authorizeOwnInvoke } from './authorization.ts';

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
  const isAllowed = async (caller: Credential, reference: FunctionReference) => {
    try {
      authorizeOwnInvoke({ region }, caller, reference, await cache.read(reference));
      return true;
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  };
  return {
    async mayInvoke(principalArn, { accountId, functionName: name, qualifier }) {
      const keys = await credentials.keysOf(principalArn);
      const role: Credential = {
        accessKeyId: '',
        secretAccessKey: '',
        accountId,
        principalArn,
        policies: [],
      };
      const callers = ofAccount.test(principalArn) ? keys : [role];
      for (const caller of callers) {
        if (caller.disabled || caller.accountId !== accountId) continue;
        if (await isAllowed(caller, { accountId, name, qualifier })) return true;
      }
      return false;
    },
  };
}
