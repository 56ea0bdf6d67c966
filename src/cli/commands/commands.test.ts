import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { registerCommands } from './mod.ts';

async function namesFor(words: readonly string[]): Promise<string[]> {
  const program = new Command('sluice');
  await registerCommands(program, words);
  return program.commands.map((command) => command.name());
}

test('a command is known by its name alone, and without one all are listed', async () => {
  const all = await namesFor([]);
  assert.ok(all.includes('up') && all.includes('image'));
  for (const name of all) assert.deepEqual(await namesFor([name, '--help']), [name]);
  for (const words of [['--help'], ['help', 'up'], ['upp'], ['constructor']]) {
    assert.deepEqual(await namesFor(words), all);
  }
});
