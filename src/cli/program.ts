import { Command, CommanderError } from 'commander';
import { SluiceError, toSluiceError } from '../base/mod.ts';
import { registerCommands } from './commands/mod.ts';
import { createOutput } from './output.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function createProgram(words: readonly string[]): Promise<Command> {
  const program = new Command('sluice')
    .description('Serverless functions from container images, loaded block by block.')
    .version('0.1.0')
    .showHelpAfterError('(add --help for what it takes)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  await registerCommands(program, words);
  return program;
}

/** Runs one command and answers the exit status: 0, 1 (failed), 2 (wrong usage). */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  try {
    const program = await createProgram(words);
    await program.parseAsync([...words], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      const helped = ['commander.helpDisplayed', 'commander.version', 'commander.help'];
      return helped.includes(error.code) && error.exitCode === 0 ? 0 : EXIT_USAGE;
    }
    const known = toSluiceError(error);
    createOutput(words.includes('--json')).fail(known);
    if (!(error instanceof SluiceError) && error instanceof Error && process.env['SLUICE_DEBUG']) {
      process.stderr.write(`${error.stack}\n`);
    }
    return known.code === 'USAGE' ? EXIT_USAGE : EXIT_FAILED;
  }
}
