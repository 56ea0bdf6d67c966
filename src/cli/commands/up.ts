import { type Command, Option } from 'commander';
import { SluiceError } from '../../base/mod.ts';
import type { LogLevel } from '../../telemetry/mod.ts';
import {
  type L2Flags,
  l2Settings,
  listenAddress,
  withDataOptions,
  withL2Options,
} from '../options.ts';
import { createOutput } from '../output.ts';
import { untilSignalled, untilSignalledOrDead } from '../signals.ts';
import { readTlsFiles, type TlsOptions, withTlsOptions } from '../tls-files.ts';

interface UpOptions extends L2Flags, TlsOptions {
  readonly data: string;
  readonly json: boolean;
  readonly listen: { host: string; port: number };
  readonly region: string;
  readonly logLevel: LogLevel;
  readonly isolation: 'lean' | 'microvm';
  readonly network: 'none' | 'outbound';
}

export function registerUp(program: Command): void {
  const command = program
    .command('up')
    .description('runs a whole region in the foreground until SIGTERM or Ctrl-C')
    .option('--listen <host:port>', 'where the Lambda API listens', listenAddress, {
      host: '127.0.0.1',
      port: 9400,
    })
    .addOption(
      new Option('--region <name>', 'region name in ARNs and signatures')
        .default('us-east-1')
        .env('SLUICE_REGION'),
    )
    .addOption(
      new Option('--isolation <kind>', 'what separates functions from the host and each other')
        .choices(['lean', 'microvm'])
        .default('lean'),
    )
    .addOption(
      new Option('--network <kind>', 'what functions may reach: nothing, or other hosts than this')
        .choices(['none', 'outbound'])
        .default('none'),
    )
    .addOption(
      new Option('--log-level <level>', 'what goes to standard error')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    );
  withDataOptions(withL2Options(withTlsOptions(command))).action(async (options: UpOptions) => {
    const output = createOutput(options.json);
    if (options.isolation === 'microvm') {
      throw new SluiceError('USAGE', '--isolation microvm: is not available yet; lean is');
    }
    const { partWithPrivileges } = await import('../part-privileges.ts');
    const l2 = l2Settings(options);
    const given = { dataPath: options.data, logLevel: options.logLevel, l2 };
    const { warden, isFew } = partWithPrivileges(given, options.listen.port);
    if (!isFew) output.note('setpriv is missing (util-linux): all capabilities are kept');
    const tls = readTlsFiles(options, options.listen.host);
    const { startRegion } = await import('../../serve/mod.ts');
    const region = await startRegion({
      warden,
      dataPath: options.data,
      listen: options.listen,
      regionName: options.region,
      logLevel: options.logLevel,
      network: options.network,
      l2,
      ...(tls && { tls }),
    });
    const { endpoint, credentialsFile, dataDirectory } = region;
    const signalled = untilSignalled();
    output.answer(
      { event: 'ready', endpoint, credentialsFile, dataDir: dataDirectory },
      `sluice serves ${options.region} at ${endpoint}; credentials in ${credentialsFile}`,
    );
    try {
      await untilSignalledOrDead(signalled, region.lost);
    } finally {
      output.note('draining…');
      await region.stop();
    }
  });
}
