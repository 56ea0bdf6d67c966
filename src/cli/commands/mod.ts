import type { Command } from 'commander';
import { registerDoctor } from './doctor.ts';

export function registerCommands(program: Command): void {
  registerDoctor(program);
}
