import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const execute = promisify(execFile);

/** Runs a program to its end and answers what it said; never throws for its exit status. */
export async function run(
  program: string,
  words: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number } = {},
): Promise<RunResult> {
  const maxBuffer = 256 * 1024 * 1024;
  const { timeoutMs = 300_000, ...rest } = options;
  try {
    const done = await execute(program, [...words], { maxBuffer, timeout: timeoutMs, ...rest });
    return { status: 0, ...done };
  } catch (error) {
    const failed = error as { code?: number | string; stdout?: string; stderr?: string };
    if (typeof failed.code !== 'number') throw error;
    return { status: failed.code, stdout: failed.stdout ?? '', stderr: failed.stderr ?? '' };
  }
}

/** Runs a program that must succeed, and answers its standard output. */
export async function runOrThrow(
  program: string,
  words: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number } = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(program, words, options);
  if (status !== 0)
    throw new Error(`${program} ${words.join(' ')}: exit status ${status}\n${stderr}`);
  return stdout;
}
