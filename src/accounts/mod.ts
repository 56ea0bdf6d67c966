export {
  type ConditionOperator,
  conditionOperators,
  type IdentityPolicy,
  type IdentityStatement,
} from './account-records.ts';
export { Accounts } from './accounts.ts';
export type { Credential, CredentialStore } from './credentials.ts';
export { parseIdentityPolicy } from './parse-identity-policy.ts';
export { RegistryLogins } from './registry-logins.ts';
export { SandboxCredentials } from './sandbox-credentials.ts';
