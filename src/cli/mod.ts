export { createOutput, formatTable, type Output } from './output.ts';
export { EXIT_FAILED, EXIT_USAGE, runCommandLine } from './program.ts';
