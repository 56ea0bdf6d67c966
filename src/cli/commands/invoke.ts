import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { functionPath, LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';

/** The payload word: JSON itself, `@FILE`, or `-` for standard input. */
function payloadOf(word: string): Buffer {
  if (word === '-') return readFileSync(0);
  return word.startsWith('@') ? readFileSync(word.slice(1)) : Buffer.from(word);
}

export function registerInvoke(program: Command): void {
  const command = program
    .command('invoke <name> [payload]')
    .description('invokes a function; payload is JSON, @FILE, or - for standard input')
    .option('--log', 'print the end of the log to standard error', false);
  withDataOptions(command).action(
    async (
      name: string,
      payload: string | undefined,
      options: CommonOptions & { log: boolean },
    ) => {
      const output = createOutput(options.json);
      const headers: Record<string, string> = options.log ? { 'x-amz-log-type': 'Tail' } : {};
      const body = payloadOf(payload ?? '{}');
      const answer = await new LambdaClient(options.data).call(
        'POST',
        functionPath(name, '/invocations'),
        body,
        headers,
      );
      const tail = answer.headers.get('x-amz-log-result');
      if (tail) output.note(Buffer.from(tail, 'base64').toString('utf8').trimEnd());
      const functionError = answer.headers.get('x-amz-function-error');
      const text = answer.body.toString('utf8');
      output.answer({ status: answer.status, functionError, payload: text }, text);
      if (functionError) process.exitCode = 1;
    },
  );
}
