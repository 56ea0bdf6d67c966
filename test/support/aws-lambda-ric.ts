import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOrThrow } from './run.ts';
import { cachedByInputs } from './shared.ts';

const version = '4.0.2';
/** Compiling takes two minutes of a processor, and a busy machine has less than one. */
const BUILD_TIMEOUT_MS = 1_500_000;
/** All that the client is at run time; the rest of its package is what it is built from. */
const files = ['index.mjs', 'package.json', 'rapid-client.node'];

/** What building it takes of the host. */
export const RIC_NEEDS = ['tool:npm', 'tool:g++', 'tool:make', 'tool:cmake', 'tool:xz'] as const;

/**
 * The directory of AWS's own runtime client for Node, `aws-lambda-ric`, as npm has it. Its native
 * part is compiled once for each version, processor and interface of Node, and kept.
 */
export async function awsLambdaRic(): Promise<string> {
  const inputs = [version, process.arch, `${process.versions.modules}`];
  return cachedByInputs('aws-lambda-ric', inputs, async (directory) => {
    const work = mkdtempSync(join(tmpdir(), 'sluice-ric-'));
    try {
      const flags = ['--no-audit', '--no-fund', '--ignore-scripts=false', '--prefix', work];
      const options = { env: { ...process.env, MAKEFLAGS: '-j2' }, timeoutMs: BUILD_TIMEOUT_MS };
      await runOrThrow('npm', ['install', ...flags, `aws-lambda-ric@${version}`], options);
      const built = join(work, 'node_modules/aws-lambda-ric');
      for (const file of files) cpSync(join(built, file), join(directory, file));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}
