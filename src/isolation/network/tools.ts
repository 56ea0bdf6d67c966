import { execFile } from 'node:child_process';
import { SluiceError, systemErrorCode } from '../../base/mod.ts';

/** `ip -batch`. Rejects with `HOST_LACKS`. */
export const ip = (commands: string) => runTool('ip', ['-batch', '-'], commands);
/** All of the commands or none of them. Rejects with `HOST_LACKS`. */
export const nft = (commands: string) => runTool('nft', ['-f', '-'], commands);

const packages: Readonly<Record<string, string>> = { ip: 'iproute2', nft: 'nftables' };

/** Answers its output. Rejects with `HOST_LACKS`, which says what to install. */
export function runTool(program: string, words: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, words, { env: toolEnvironment }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const missing = systemErrorCode(error) === 'ENOENT';
      const what = missing
        ? `${program}: not found; install it (apt-get install ${packages[program]})`
        : `${program}: ${stderr.trim().split('\n')[0] || error.message}`;
      reject(new SluiceError('HOST_LACKS', `network: ${what}`, { cause: error }));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Administrators' tools are not on every caller's PATH. */
const toolEnvironment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
