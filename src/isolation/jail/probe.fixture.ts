import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { systemErrorCode } from '../../base/mod.ts';

/** What a helper is asked to try; it answers with the error's code, or what it got. */
export type Attempt =
  | { readonly kind: 'read' | 'list' | 'write'; readonly path: string }
  | { readonly kind: 'signal'; readonly pid: number }
  | { readonly kind: 'run'; readonly path: string }
  | { readonly kind: 'descriptor'; readonly path: string; readonly flags: string }
  | { readonly kind: 'interfaces' }
  | { readonly kind: 'connect'; readonly to: { host: string; port: number } | { path: string } };

function attempt(what: Attempt): string | Promise<string> {
  switch (what.kind) {
    case 'read':
      return readFileSync(what.path, 'utf8');
    case 'list':
      return readdirSync(what.path).sort().join(' ');
    case 'write':
      writeFileSync(what.path, 'written');
      return 'written';
    case 'signal':
      process.kill(what.pid, 0);
      return 'may signal';
    case 'run':
      return execFileSync(what.path, { encoding: 'utf8' });
    case 'descriptor':
      closeSync(openSync(what.path, what.flags));
      return 'opened';
    case 'interfaces':
      return Object.keys(networkInterfaces()).join(' ');
    case 'connect':
      return new Promise((resolve, reject) => {
        const socket = connect(what.to, () => {
          socket.destroy();
          resolve('connected');
        });
        socket.on('error', reject);
      });
  }
}

async function answer(what: Attempt): Promise<void> {
  try {
    process.send?.(await attempt(what));
  } catch (error) {
    process.send?.(systemErrorCode(error) ?? String(error));
  }
}

process.on('message', (what: Attempt) => void answer(what));
process.on('disconnect', () => process.exit(0));
