import { readFile } from 'node:fs/promises';
import { systemErrorCode } from '../../base/mod.ts';
import { isObject, malformed, parseJsonObject } from '../documents.ts';

/** A user's name and password, or a refresh token that a registry's token server takes. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string };

/**
 * What a file in the form of `~/.docker/config.json` has for `registry`; undefined without the file
 * or an entry. Credential helpers are programs, and are not run.
 */
export async function readAuthFile(
  path: string,
  registry: string,
): Promise<Credentials | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const auths = parseJsonObject(bytes, path)['auths'];
  if (!isObject(auths)) return undefined;
  for (const [key, entry] of Object.entries(auths)) {
    if (!isObject(entry) || hostOf(key) !== hostOf(registry)) continue;
    if (typeof entry['identitytoken'] === 'string' && entry['identitytoken'] !== '') {
      return { identityToken: entry['identitytoken'] };
    }
    if (typeof entry['auth'] === 'string' && entry['auth'] !== '') {
      return decodeAuth(entry['auth'], `${path}: ${key}`);
    }
  }
  return undefined;
}

/** Keys are hosts or URLs; Docker Hub's is `https://index.docker.io/v1/`. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

function decodeAuth(auth: string, where: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw malformed(where, '"auth" is not the base64 of name:password');
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

export function basicAuthorization(credentials: { username: string; password: string }): string {
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
