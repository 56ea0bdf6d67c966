import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { functionPath, LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput, paint } from '../output.ts';

interface InvokeOptions extends CommonOptions {
  readonly log: boolean;
  readonly async: boolean;
  readonly qualifier?: string;
}

/** The payload word: JSON itself, `@FILE`, or `-` for standard input. */
function payloadOf(word: string): Buffer {
  if (word === '-') return readFileSync(0);
  return word.startsWith('@') ? readFileSync(word.slice(1)) : Buffer.from(word);
}

/** For people at a terminal, JSON is laid out; programs get the bytes as they came. */
function shown(text: string): string {
  if (process.stdout.isTTY !== true) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function registerInvoke(program: Command): void {
  const command = program
    .command('invoke <name> [payload]')
    .description('invokes a function; payload is JSON, @FILE, or - for standard input')
    .option('--log', 'print the end of the log to standard error', false)
    .option('--async', 'queue the event and do not wait for the result', false)
    .option('--qualifier <name>', 'a version or an alias');
  withDataOptions(command).action(
    async (name: string, payload: string | undefined, options: InvokeOptions) => {
      const output = createOutput(options.json);
      const query = options.qualifier ? `?Qualifier=${encodeURIComponent(options.qualifier)}` : '';
      const answer = await new LambdaClient(options.data).call(
        'POST',
        functionPath(name, `/invocations${query}`),
        payloadOf(payload ?? '{}'),
        {
          ...(options.log && { 'x-amz-log-type': 'Tail' }),
          ...(options.async && { 'x-amz-invocation-type': 'Event' }),
        },
      );
      const requestId = answer.headers.get('x-amzn-requestid');
      if (options.async) {
        const { status } = answer;
        return output.answer({ status, requestId }, `queued as ${requestId}`);
      }
      const tail = answer.headers.get('x-amz-log-result');
      if (tail) output.note(Buffer.from(tail, 'base64').toString('utf8').trimEnd());
      const functionError = answer.headers.get('x-amz-function-error');
      const text = answer.body.toString('utf8');
      const people = functionError ? paint('red', shown(text)) : shown(text);
      output.answer({ status: answer.status, requestId, functionError, payload: text }, people);
      if (functionError) process.exitCode = 1;
    },
  );
}
