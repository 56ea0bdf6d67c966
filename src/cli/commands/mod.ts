import type { Command } from 'commander';
import { registerAccount } from './account.ts';
import { registerCacheNode } from './cache-node.ts';
import { registerCacheSize } from './cache-size.ts';
import { registerConfig } from './config.ts';
import { registerDevice } from './device.ts';
import { registerDoctor } from './doctor.ts';
import { registerDrill } from './drill.ts';
import { registerFunction } from './function.ts';
import { registerGc } from './gc.ts';
import { registerImage } from './image.ts';
import { registerInvoke } from './invoke.ts';
import { registerKey } from './key.ts';
import { registerLayer } from './layer.ts';
import { registerLogs } from './logs.ts';
import { registerRegistry } from './registry.ts';
import { registerUp } from './up.ts';
import { registerUsage } from './usage.ts';

export function registerCommands(program: Command): void {
  registerUp(program);
  registerFunction(program);
  registerLayer(program);
  registerInvoke(program);
  registerLogs(program);
  registerUsage(program);
  registerImage(program);
  registerDevice(program);
  registerGc(program);
  registerCacheNode(program);
  registerCacheSize(program);
  registerDrill(program);
  registerAccount(program);
  registerRegistry(program);
  registerKey(program);
  registerConfig(program);
  registerDoctor(program);
}
