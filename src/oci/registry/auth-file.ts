import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, SluiceError, systemErrorCode } from '../../base/mod.ts';
import { isObject } from '../documents.ts';
import type { RegistryReference } from '../reference.ts';
import { runCredentialHelper } from './credential-helper.ts';
import { type Credentials, decodeBasic } from './credentials.ts';

/** Docker Hub's key, as Docker writes it and helpers are asked for it. */
const HUB_SERVER = 'https://index.docker.io/v1/';
const HUB_HOSTS = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** Whose credentials are looked for. */
export type RepositoryName = Pick<RegistryReference, 'registry' | 'repository'>;

/**
 * Where skopeo, podman and docker keep credentials, in the order in which they are asked; a file
 * that `REGISTRY_AUTH_FILE` names stands alone (containers-auth.json(5), Docker's `DOCKER_CONFIG`).
 */
export function registryAuthFiles(
  environment: Readonly<Record<string, string | undefined>>,
  home: string,
): readonly string[] {
  const named = environment['REGISTRY_AUTH_FILE'];
  if (named) return [named];
  const runtime = environment['XDG_RUNTIME_DIR'];
  const config = environment['XDG_CONFIG_HOME'] || join(home, '.config');
  const docker = environment['DOCKER_CONFIG'] || join(home, '.docker');
  return [
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    join(config, 'containers', 'auth.json'),
    join(docker, 'config.json'),
  ];
}

/**
 * The credentials that the first of `files` has for the repository: of the helper that is set for
 * its host, else of the entry with the longest path, else of the helper for all hosts. A file that
 * is not there has none. Throws `CONFIG_INVALID` and what the helper does.
 */
export async function findCredentials(
  reference: RepositoryName,
  files: readonly string[],
  clock: Clock,
): Promise<Credentials | undefined> {
  for (const path of files) {
    const file = await readAuthFile(path);
    const found = file && (await credentialsIn(file, reference, clock));
    if (found) return found;
  }
  return undefined;
}

type Json = Readonly<Record<string, unknown>>;

async function readAuthFile(path: string): Promise<Json | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isObject(json)) return json;
    throw new SyntaxError('it is no JSON object');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw new SluiceError('CONFIG_INVALID', `${path}: registry credentials cannot be read`, {
      cause: error,
    });
  }
}

async function credentialsIn(
  file: Json,
  reference: RepositoryName,
  clock: Clock,
): Promise<Credentials | undefined> {
  const host = hostName(reference.registry);
  const server = host === 'docker.io' ? HUB_SERVER : reference.registry;
  const helpers = isObject(file['credHelpers']) ? file['credHelpers'] : {};
  const [, helper] = Object.entries(helpers).find(([key]) => normalKey(key) === host) ?? [];
  if (typeof helper === 'string' && helper !== '') {
    return runCredentialHelper(helper, server, { clock });
  }
  const auths = isObject(file['auths']) ? file['auths'] : {};
  const found = longestMatch(auths, `${host}/${reference.repository}`);
  if (found) return found;
  const store = file['credsStore'];
  if (typeof store !== 'string' || store === '') return undefined;
  return runCredentialHelper(store, server, { clock });
}

/** `host/a/b` goes before `host/a`, and that before `host`: a key is for all that is below it. */
function longestMatch(auths: Json, name: string): Credentials | undefined {
  const entries = Object.entries(auths)
    .map(([key, entry]) => ({ key: normalKey(key), credentials: credentialsOf(entry) }))
    .filter(({ key }) => name === key || name.startsWith(`${key}/`))
    .sort((a, b) => b.key.length - a.key.length);
  return entries.find(({ credentials }) => credentials)?.credentials;
}

/** A key that is a URL, or that ends in an API's version, is for its host, whatever its path. */
function normalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//i, '');
  const [host = '', ...path] = bare.replace(/\/+$/, '').split('/');
  const isHost = bare !== key || /^v[12]$/.test(path.join('/'));
  return [hostName(host), ...(isHost ? [] : path)].join('/');
}

function hostName(host: string): string {
  const lower = host.toLowerCase();
  return HUB_HOSTS.has(lower) ? 'docker.io' : lower;
}

function credentialsOf(entry: unknown): Credentials | undefined {
  if (!isObject(entry)) return undefined;
  const word = (name: string) => (typeof entry[name] === 'string' ? entry[name] : '');
  if (word('identitytoken') !== '') return { identityToken: word('identitytoken') };
  if (word('auth') !== '') return decodeBasic(word('auth'));
  if (word('username') === '') return undefined;
  return { username: word('username'), password: word('password') };
}
