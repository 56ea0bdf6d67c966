import type { FunctionConfiguration, FunctionVersion } from '../records/mod.ts';
import type { SandboxTemplate } from '../worker/mod.ts';

/** Where an account's functions find an access point's files on the host, if they may. */
export type FileSystemDirectory = (accountId: string, arn: string) => string | undefined;

/** What a worker needs of a function version: configuration over the image's own settings. */
export function sandboxTemplate(
  version: FunctionVersion,
  region: string,
  directoryOf: FileSystemDirectory,
): SandboxTemplate {
  const { configuration, code } = version;
  const { imageOverrides: overrides } = configuration;
  const { imageConfig: image } = code;
  return {
    functionArn: unqualified(version.arn),
    functionName: version.functionName,
    version: version.version,
    revision: version.servingId,
    accountId: version.accountId,
    role: configuration.role,
    region,
    manifestId: code.manifestId,
    memoryMb: configuration.memoryMb,
    timeoutMs: configuration.timeoutSeconds * 1000,
    ephemeralMb: configuration.ephemeralStorageMb,
    environment: configuration.environment ?? {},
    imageEnvironment: parseVariables(image.environment),
    entrypoint: overrides?.entryPoint ?? wrapped(configuration, image.entrypoint),
    command: overrides?.command ?? image.command,
    workingDirectory: overrides?.workingDirectory ?? image.workingDirectory,
    warnings: code.warnings,
    hostMounts: (configuration.fileSystems ?? []).flatMap(({ arn, localMountPath: path }) => {
      const directory = directoryOf(version.accountId, arn);
      return directory === undefined ? [] : [{ directory, path }];
    }),
    handler: configuration.handler,
    runtime: configuration.runtime,
    logGroup: configuration.logging.group,
    logFormat: configuration.logging.format,
    applicationLogLevel: configuration.logging.applicationLevel,
    systemLogLevel: configuration.logging.systemLevel,
  };
}

/**
 * `AWS_LAMBDA_EXEC_WRAPPER` runs instead of a managed runtime, with the runtime as its arguments.
 * The shell makes a wrapper that is not there an exit with status 127, as in Lambda.
 */
function wrapped(
  { runtime = 'provided', environment }: FunctionConfiguration,
  entrypoint: readonly string[],
): readonly string[] {
  const wrapper = environment?.['AWS_LAMBDA_EXEC_WRAPPER'];
  if (!wrapper || runtime.startsWith('provided')) return entrypoint;
  return ['/bin/sh', '-c', 'exec "$0" "$@"', wrapper, ...entrypoint];
}

/** `arn:aws:lambda:REGION:ACCOUNT:function:NAME` without the version behind it. */
export function unqualified(arn: string): string {
  return arn.split(':').slice(0, 7).join(':');
}

function parseVariables(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}
