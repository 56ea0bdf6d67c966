import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOrThrow } from './run.ts';

const version = '4.0.2';
/** All that the client is at run time; the rest of its package is what it is built from. */
const files = ['index.mjs', 'package.json', 'rapid-client.node'];

/** What building it takes of the host. */
export const RIC_NEEDS = ['tool:npm', 'tool:g++', 'tool:make', 'tool:cmake', 'tool:xz'] as const;

/**
 * The directory of AWS's own runtime client for Node, `aws-lambda-ric`, as npm has it. Its native
 * part is compiled once for each version and processor, which takes a minute, and kept.
 */
export async function awsLambdaRic(): Promise<string> {
  const caches = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const kept = join(caches, 'sluice-tests', `aws-lambda-ric-${version}-${process.arch}`);
  if (existsSync(kept)) return kept;
  const work = mkdtempSync(join(tmpdir(), 'sluice-ric-'));
  try {
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts=false', '--prefix', work];
    const env = { ...process.env, MAKEFLAGS: '-j2' };
    await runOrThrow('npm', ['install', ...flags, `aws-lambda-ric@${version}`], { env });
    const built = join(work, 'built');
    mkdirSync(built);
    for (const file of files) {
      cpSync(join(work, 'node_modules/aws-lambda-ric', file), join(built, file));
    }
    const mine = `${kept}.${process.pid}`;
    cpSync(built, mine, { recursive: true });
    renameSync(mine, kept);
    return kept;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
