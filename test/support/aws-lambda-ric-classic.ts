import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runOrThrow } from './run.ts';

const version = '3.3.0';
const main = `import { run } from './index.mjs';
await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
`;

/**
 * The program of the last of AWS's own Node clients that knows callbacks. Its JavaScript is taken
 * from npm, unbuilt; the native part, which has the same calls, from `modern`, the directory of the
 * newest. Kept beside that.
 */
export async function awsLambdaRicClassic(modern: string): Promise<string> {
  const kept = join(dirname(modern), `aws-lambda-ric-${version}-${process.arch}`);
  if (existsSync(kept)) return join(kept, 'main.mjs');
  const work = mkdtempSync(join(tmpdir(), 'sluice-ric-'));
  try {
    await runOrThrow('npm', ['pack', '--silent', `aws-lambda-ric@${version}`], { cwd: work });
    await runOrThrow('tar', ['-xzf', `aws-lambda-ric-${version}.tgz`], { cwd: work });
    const made = join(work, 'made');
    mkdirSync(made);
    copyFileSync(join(work, 'package/dist/index.mjs'), join(made, 'index.mjs'));
    copyFileSync(join(modern, 'rapid-client.node'), join(made, 'rapid-client.node'));
    writeFileSync(join(made, 'main.mjs'), main);
    renameSync(made, kept);
    return join(kept, 'main.mjs');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
