import { z } from 'zod';
import { defaultAccountId } from './credentials-file.ts';

const directory = z.string().regex(/^\/./, 'is no absolute path');
const accounts = z.array(z.string().regex(/^\d{12}$/, 'is no account id')).min(1);

/**
 * Directories of this host that functions may mount, by the ARN of an access point
 * (`FileSystemConfigs`), or its last part. For the operator's account, unless accounts are listed.
 */
export const fileSystemSettings = z.record(
  z.string().regex(/^(arn:[^/]+:access-point\/)?[A-Za-z0-9-]{1,64}$/, 'is no access point'),
  z.union([
    directory.transform((path) => ({ directory: path, accounts: [defaultAccountId] })),
    z.strictObject({ directory, accounts: accounts.default([defaultAccountId]) }),
  ]),
);

export type FileSystemSettings = z.output<typeof fileSystemSettings>;

/** Where an account's functions find the access point's files on this host, if they may. */
export function fileSystemDirectory(
  settings: FileSystemSettings,
  accountId: string,
  arn: string,
): string | undefined {
  const key = [arn, arn.slice(arn.lastIndexOf('/') + 1)].find((each) =>
    Object.hasOwn(settings, each),
  );
  const found = key === undefined ? undefined : settings[key];
  return found?.accounts.includes(accountId) ? found.directory : undefined;
}
