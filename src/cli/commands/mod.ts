import type { Command } from 'commander';

type Register = (program: Command) => void;

/** In the order in which they are listed. */
const commands: Readonly<Record<string, () => Promise<Register>>> = {
  up: async () => (await import('./up.ts')).registerUp,
  function: async () => (await import('./function.ts')).registerFunction,
  layer: async () => (await import('./layer.ts')).registerLayer,
  invoke: async () => (await import('./invoke.ts')).registerInvoke,
  logs: async () => (await import('./logs.ts')).registerLogs,
  usage: async () => (await import('./usage.ts')).registerUsage,
  image: async () => (await import('./image.ts')).registerImage,
  device: async () => (await import('./device.ts')).registerDevice,
  gc: async () => (await import('./gc.ts')).registerGc,
  'cache-node': async () => (await import('./cache-node.ts')).registerCacheNode,
  cache: async () => (await import('./cache-size.ts')).registerCacheSize,
  drill: async () => (await import('./drill.ts')).registerDrill,
  account: async () => (await import('./account.ts')).registerAccount,
  region: async () => (await import('./region.ts')).registerRegion,
  registry: async () => (await import('./registry.ts')).registerRegistry,
  key: async () => (await import('./key.ts')).registerKey,
  config: async () => (await import('./config.ts')).registerConfig,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
};

/**
 * Makes the command known that the words begin with, or all where they begin with none: to load the
 * modules of all costs a command more than most of its work.
 */
export async function registerCommands(program: Command, words: readonly string[]): Promise<void> {
  const [first = ''] = words;
  const names = Object.hasOwn(commands, first) ? [first] : Object.keys(commands);
  for (const name of names) (await commands[name]?.())?.(program);
}
