import { runCommandLine } from './mod.ts';

process.exitCode = await runCommandLine(process.argv.slice(2));
