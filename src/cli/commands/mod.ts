import type { Command } from 'commander';
import { registerDoctor } from './doctor.ts';
import { registerFunction } from './function.ts';
import { registerInvoke } from './invoke.ts';
import { registerUp } from './up.ts';

export function registerCommands(program: Command): void {
  registerUp(program);
  registerFunction(program);
  registerInvoke(program);
  registerDoctor(program);
}
