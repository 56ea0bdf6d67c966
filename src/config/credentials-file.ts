import { type Random, SluiceError } from '../base/mod.ts';
import { readFileIfThere, replaceFileSync } from './durable-file.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
}

export const defaultAccountId = '000000000000';

const keyAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A new key of the shapes that AWS's clients expect: `AKIA` and 16 of base32, 40 of base64. */
export function newAccessKey(random: Random, accountId: string): AccessKey {
  const id = [...random.bytes(16)].map((byte) => keyAlphabet[byte % 32]).join('');
  return {
    accessKeyId: `AKIA${id}`,
    secretAccessKey: random.bytes(30).toString('base64'),
    accountId,
  };
}

/**
 * Reads or makes the file of AWS's shared-credentials format that `up` hands to clients
 * (`AWS_SHARED_CREDENTIALS_FILE`). One profile an account; `default` is account 000000000000.
 * The account rests in a key that AWS's own parsers ignore.
 */
export function ensureCredentialsFile(path: string, random: Random): AccessKey[] {
  const text = readFileIfThere(path);
  if (text !== undefined) return parseCredentials(text, path);
  const key = newAccessKey(random, defaultAccountId);
  writeCredentialsFile(path, [key]);
  return [key];
}

export function writeCredentialsFile(path: string, keys: readonly AccessKey[]): void {
  replaceFileSync(path, formatCredentials(keys));
}

export function formatCredentials(keys: readonly AccessKey[]): string {
  return keys
    .map((key) =>
      [
        `[${key.accountId === defaultAccountId ? 'default' : key.accountId}]`,
        `aws_access_key_id = ${key.accessKeyId}`,
        `aws_secret_access_key = ${key.secretAccessKey}`,
        `sluice_account_id = ${key.accountId}`,
        '',
      ].join('\n'),
    )
    .join('\n');
}

export function parseCredentials(text: string, path: string): AccessKey[] {
  const keys: AccessKey[] = [];
  let values = new Map<string, string>();
  const flush = () => {
    if (values.size === 0) return;
    const accessKeyId = values.get('aws_access_key_id');
    const secretAccessKey = values.get('aws_secret_access_key');
    if (!accessKeyId || !secretAccessKey) {
      throw new SluiceError('CONFIG_INVALID', `${path}: a profile lacks its access key or secret`);
    }
    const accountId = values.get('sluice_account_id') ?? defaultAccountId;
    keys.push({ accessKeyId, secretAccessKey, accountId });
    values = new Map();
  };
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (trimmed.startsWith('[')) {
      flush();
      continue;
    }
    const at = trimmed.indexOf('=');
    if (at < 0) throw new SluiceError('CONFIG_INVALID', `${path}: no “=” in line “${trimmed}”`);
    values.set(trimmed.slice(0, at).trim(), trimmed.slice(at + 1).trim());
  }
  flush();
  if (keys.length === 0) throw new SluiceError('CONFIG_INVALID', `${path}: holds no access key`);
  return keys;
}
