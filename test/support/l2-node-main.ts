/**
 * A cache node as a process of its own, without the command line around it:
 * `node l2-node-main.ts DIRECTORY PORT MEMORY_BYTES FLASH_BYTES SECRET_FILE`.
 * Prints its port; drains on SIGTERM; goes with its parent.
 */
import { noLogger, systemClock } from '../../src/base/mod.ts';
import { CacheNode, readSecretFile } from '../../src/cache/mod.ts';
import { PrometheusMeter } from '../../src/telemetry/mod.ts';

const [directory = '', port, memoryBytes, flashBytes, secretFile = ''] = process.argv.slice(2);
const meter = new PrometheusMeter();
const node = await CacheNode.start({
  host: '127.0.0.1',
  port: Number(port),
  directory,
  memoryBytes: Number(memoryBytes),
  flashBytes: Number(flashBytes),
  stripeBytes: 128 * 1024,
  secrets: readSecretFile(secretFile),
  clock: systemClock,
  meter,
  logger: noLogger,
  metricsText: () => meter.text(),
});
process.stdout.write(`${node.port} ${node.flashStripes}\n`);
process.once('SIGTERM', () => void node.drain().then(() => process.exit(0)));
process.stdin.on('end', () => process.exit(1)).resume();
