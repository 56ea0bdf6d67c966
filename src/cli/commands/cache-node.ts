import { type Command, Option } from 'commander';
import { limits, systemClock } from '../../base/mod.ts';
import { CacheNode, readSecretFile } from '../../cache/mod.ts';
import { createLogger, type LogLevel, PrometheusMeter } from '../../telemetry/mod.ts';
import { byteSize } from '../byte-size.ts';
import { listenAddress, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';
import { untilSignalled } from '../signals.ts';

interface CacheNodeCommandOptions {
  readonly data: string;
  readonly json: boolean;
  readonly listen: { host: string; port: number };
  readonly memory: number;
  readonly flash: number;
  readonly stripe: number;
  readonly secretFile: string;
  readonly logLevel: LogLevel;
}

export function registerCacheNode(program: Command): void {
  const command = program
    .command('cache-node')
    .description("runs a node of the zone's shared cache in the foreground until SIGTERM")
    .requiredOption('--listen <host:port>', 'where workers reach it', listenAddress)
    .requiredOption('--secret-file <file>', 'secrets shared with the workers, one a line')
    .option('--memory <bytes>', 'memory tier', byteSize, byteSize('64M'))
    .option('--flash <bytes>', 'flash tier, a file in the data directory', byteSize, byteSize('1G'))
    .option(
      '--stripe <bytes>',
      'largest stripe, the size of a slot on flash; a chunk divided by k',
      byteSize,
      byteSize('128K'),
    )
    .addOption(
      new Option('--log-level <level>', 'what goes to standard error')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    );
  withDataOptions(command).action(run);
}

async function run(options: CacheNodeCommandOptions): Promise<void> {
  const output = createOutput(options.json);
  const secrets = readSecretFile(options.secretFile);
  const meter = new PrometheusMeter();
  const logger = createLogger(options.logLevel, 'cache-node');
  const { host } = options.listen;
  const node = await CacheNode.start({
    ...options.listen,
    directory: options.data,
    memoryBytes: options.memory,
    flashBytes: options.flash,
    stripeBytes: Math.min(options.stripe, limits.l2.stripeBytes),
    secrets,
    clock: systemClock,
    meter,
    logger,
    metricsText: () => meter.text(),
  });
  const signalled = untilSignalled();
  const { port, flashStripes } = node;
  output.answer(
    { event: 'ready', address: `${host}:${port}`, stripes: flashStripes },
    `cache node at ${host}:${port}, ${flashStripes} stripes on flash`,
  );
  await signalled;
  output.note('draining…');
  await node.drain();
}
