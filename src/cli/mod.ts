export { formatTable } from './output.ts';
export { runCommandLine } from './program.ts';
