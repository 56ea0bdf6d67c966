import { limits, MIB } from '../base/mod.ts';
import type { SandboxShape } from '../isolation/mod.ts';
import type { SandboxTemplate } from './template.ts';

/** Lambda's own: one full CPU at this size, and so on in proportion, up to six. */
const memoryMbPerCpu = 1769;
const cpuMillisMax = 6000;

const taskRoot = '/var/task';

/** What a function finds where neither the image nor its configuration says otherwise. */
const defaults: Readonly<Record<string, string>> = {
  PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
};

const managedDefaults: Readonly<Record<string, string>> = {
  LD_LIBRARY_PATH:
    '/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib',
};

/** Where Lambda's X-Ray daemon would be; nobody listens there unless a layer brings one. */
const tracing: Readonly<Record<string, string>> = {
  AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
  AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:2000',
  _AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1',
  _AWS_XRAY_DAEMON_PORT: '2000',
};

/** Language search paths of the managed runtimes (contract 2.8). */
function languageDefaults(runtime: string): Record<string, string> {
  const node = /^nodejs(\d+)/.exec(runtime);
  if (node) {
    const layered = `/opt/nodejs/node${node[1]}/node_modules:/opt/nodejs/node_modules`;
    const own = '/var/runtime/node_modules:/var/runtime:/var/task';
    return { NODE_PATH: `${layered}:${own}` };
  }
  if (runtime.startsWith('python')) return { PYTHONPATH: '/var/runtime', LC_CTYPE: 'C.UTF-8' };
  return {};
}

/**
 * The environment of contract 2.8: defaults, then the image's, then the function's own, then what
 * nobody may change. The identity of a sandbox adds its own. `strict`: what fails on Lambda fails.
 */
export function environmentOf(template: SandboxTemplate, strict: boolean): Record<string, string> {
  const { runtime } = template;
  const shell = { PWD: template.workingDirectory || taskRoot, SHLVL: '0' };
  const managed = runtime !== undefined && !runtime.startsWith('provided');
  return {
    ...defaults,
    ...(runtime === undefined ? {} : managedDefaults),
    // Lambda starts the managed runtimes by a shell, which leaves these.
    ...(managed ? { ...languageDefaults(runtime), ...shell } : {}),
    ...tracing,
    ...template.imageEnvironment,
    ...template.environment,
    AWS_REGION: template.region,
    AWS_DEFAULT_REGION: template.region,
    ...(managed ? { AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}` } : {}),
    AWS_LAMBDA_FUNCTION_NAME: template.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: template.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(template.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: template.logGroup,
    AWS_LAMBDA_LOG_FORMAT: template.logFormat ?? 'Text',
    ...(template.logFormat === 'JSON'
      ? { AWS_LAMBDA_LOG_LEVEL: template.applicationLogLevel ?? 'INFO' }
      : {}),
    AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
    ...(strict ? { SLUICE_STRICT: '1' } : {}),
    LAMBDA_TASK_ROOT: taskRoot,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    _HANDLER: template.handler ?? template.command[0] ?? '',
  };
}

/** What only the runtime is told, and extensions are not. */
const runtimeOnlyVariables: readonly string[] = [
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  ...Object.keys(tracing),
  'PWD',
  'SHLVL',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
  '_HANDLER',
];

/** `YYYY/MM/DD/[version]<32 hex>`, one stream for each sandbox. */
export function logStreamName(version: string, nowEpochMs: number, random: Buffer): string {
  const day = new Date(nowEpochMs).toISOString().slice(0, 10).replaceAll('-', '/');
  return `${day}/[${version}]${random.toString('hex')}`;
}

/** What the function's sandboxes are made of, from what the function asks for. */
export function shapeOf(
  template: SandboxTemplate,
  diskPath: string,
  strict: boolean,
): SandboxShape {
  const share = Math.round((template.memoryMb / memoryMbPerCpu) * 1000);
  return {
    diskPath,
    argv: [...template.entrypoint, ...template.command],
    environment: environmentOf(template, strict),
    runtimeOnlyVariables,
    workingDirectory: template.workingDirectory || taskRoot,
    memoryBytes: template.memoryMb * MIB,
    cpuMillis: Math.min(share, cpuMillisMax),
    tmpBytes: template.ephemeralMb * MIB,
    processes: limits.sandbox.processes,
    openFiles: limits.sandbox.openFiles,
    hostMounts: template.hostMounts ?? [],
  };
}
