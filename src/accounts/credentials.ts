import type { IdentityPolicy } from './account-records.ts';

/** An access key of an account. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
  /** Set for temporary credentials; the request has to carry the same token. */
  readonly sessionToken?: string;
  readonly disabled?: boolean;
  /** What this key may do; without any policies it may do all in its account. */
  readonly policies?: readonly IdentityPolicy[];
  /** The ARN that error messages and policies know the caller by. */
  readonly principalArn?: string;
}

/** Looked up for every request: at once from memory, or from where the accounts are. */
export interface CredentialStore {
  find(accessKeyId: string): Credential | undefined | Promise<Credential | undefined>;
  /** The keys of accounts and their users that a principal's ARN stands for, disabled ones too. */
  keysOf(principalArn: string): readonly Credential[] | Promise<readonly Credential[]>;
}
