import { spawn } from 'node:child_process';
import { type Clock, limits, SluiceError } from '../../base/mod.ts';
import { isObject } from '../documents.ts';
import type { Credentials } from './credentials.ts';

/** What helpers say when they have nothing for a server (docker-credential-helpers, `credentials`). */
const NOT_FOUND = 'credentials not found in native keychain';
/** A helper's user name when its secret is a refresh token. */
const TOKEN_USER = '<token>';

export interface CredentialHelperOptions {
  readonly clock: Clock;
  readonly timeoutMs?: number;
}

/**
 * Asks `docker-credential-NAME get` for a server's credentials; undefined when it has none. A helper
 * that is not there, fails, says too much or nothing in time is `REGISTRY_DENIED`, and is killed
 * with all that it started.
 */
export async function runCredentialHelper(
  name: string,
  server: string,
  { clock, timeoutMs = limits.registry.helperMs }: CredentialHelperOptions,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  const failed = (what: string, output = '') =>
    new SluiceError('REGISTRY_DENIED', `${program}: it ${what}`, {
      data: { server, output: output.slice(0, 200) },
    });
  if (!/^[\w.-]{1,100}$/.test(name)) throw failed('has no name of a program');
  const { status, output } = await run(program, server, failed, { clock, timeoutMs });
  if (status !== 0) {
    if (output.trim() === NOT_FOUND) return undefined;
    throw failed(`failed with exit status ${status}`, output);
  }
  const answer = parse(output);
  if (!answer) throw failed('answered no credentials');
  const { username, secret } = answer;
  if (username === '' && secret === '') return undefined;
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}

function parse(output: string): { username: string; secret: string } | undefined {
  try {
    const json: unknown = JSON.parse(output);
    if (!isObject(json)) return undefined;
    const { Username: username, Secret: secret } = json;
    return typeof username === 'string' && typeof secret === 'string'
      ? { username, secret }
      : undefined;
  } catch {
    return undefined;
  }
}

function run(
  program: string,
  server: string,
  failed: (what: string) => SluiceError,
  { clock, timeoutMs }: Required<CredentialHelperOptions>,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    const parts: Buffer[] = [];
    let size = 0;
    const end = (error: SluiceError) => {
      if (child.pid !== undefined) killGroup(child.pid);
      child.stdout.destroy();
      reject(error);
    };
    const timer = clock.setTimer(timeoutMs, () => end(failed(`did not answer in ${timeoutMs} ms`)));
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      parts.push(part);
      if (size > limits.registry.helperBytes) end(failed('answers without end'));
    });
    child.on('error', () => {
      timer.cancel();
      reject(failed('cannot be started'));
    });
    child.on('close', (status) => {
      timer.cancel();
      resolve({ status, output: Buffer.concat(parts).toString('utf8') });
    });
    // It may end without having read what it is asked.
    child.stdin.on('error', () => {});
    child.stdin.end(`${server}\n`);
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
