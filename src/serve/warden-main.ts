import { totalmem } from 'node:os';
import { join } from 'node:path';
import { AGENT_PROGRAM } from '../agent/mod.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import {
  type DataDirectory,
  ensureDataDirectory,
  readSettings,
  type Settings,
} from '../config/mod.ts';
import { FLATTENER_PROGRAM } from '../install/mod.ts';
import {
  type AdmissionRules,
  admitHelper,
  admitSandbox,
  type HelperKind,
  HelperNetwork,
  Jails,
  networkMounts,
  realPath,
  replaceableFile,
  Warden,
} from '../isolation/mod.ts';
import { KEY_PROGRAM } from '../keys/mod.ts';
import { originCredentialFiles, originPlace } from '../origin/mod.ts';
import { createLogger, type LogLevel } from '../telemetry/mod.ts';
import { confineHelpers, ownerIdOf } from './helper-cgroups.ts';
import { openLeanSandboxes } from './lean-sandboxes.ts';

/** What a warden is told by the process that it was before it parted: in `SLUICE_WARDEN`, as JSON. */
export interface WardenArguments {
  readonly dataPath: string;
  readonly logLevel: LogLevel;
  readonly l2?: L2Settings | undefined;
}

const AWS =
  `AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE
  AWS_CONFIG_FILE AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN HOME PATH`.split(/\s+/);

const realPaths = (paths: readonly string[]) => paths.map(realPath);

/** What the operator gave the region for its helpers. */
function rulesOf(data: DataDirectory, settings: Settings, l2?: L2Settings): AdmissionRules {
  const place = originPlace(settings.origin, data);
  const nodes = l2?.nodes.startsWith('@')
    ? [replaceableFile(l2.nodes.slice(1), []).path, l2.nodes.slice(1)]
    : [];
  const far = [
    ...originCredentialFiles(place),
    ...(l2 ? [l2.secretFile, ...nodes] : []),
    ...networkMounts().map(({ path }) => path),
  ];
  const origin = place.kind === 'directory' ? [place.directory] : [];
  const common = { memoryBytes: totalmem(), puts: [], readsImages: false };
  const agentsPath = join(data.run, 'agents');
  const kinds: HelperKind[] = [
    {
      ...{ ...common, ...AGENT_PROGRAM },
      environment: [...AWS, 'SLUICE_FUSE_FD'],
      writes: realPaths([agentsPath, data.slab]),
      reads: realPaths([...origin, ...far]),
      network: ['none', 'host'],
    },
    {
      ...{ ...common, ...FLATTENER_PROGRAM },
      environment: [...AWS, 'MALLOC_ARENA_MAX', 'TMPDIR'],
      writes: realPaths([data.spool]),
      puts: realPaths(origin),
      reads: realPaths([data.runtimes, ...far]),
      readsImages: true,
      network: ['none', 'bounded'],
    },
    {
      ...{ ...common, ...KEY_PROGRAM },
      environment: AWS,
      writes: realPaths([data.keys]),
      reads: realPaths(far),
      network: ['none', 'host'],
    },
  ];
  return {
    kinds,
    agentsPath,
    dataPath: realPath(data.path),
    never: ['/proc', '/sys', '/dev', '/etc', '/root/.ssh'],
    fileSystems: Object.values(settings.filesystems).map(({ directory }) => directory),
  };
}

async function main({ dataPath, logLevel, l2 }: WardenArguments): Promise<void> {
  process.on('disconnect', () => process.exit(0));
  const logger = createLogger(logLevel, 'sluice');
  const data = ensureDataDirectory(dataPath);
  const settings = readSettings(data.configFile);
  const { firstUid } = settings.helpers;
  const jails = new Jails({
    random: systemRandom,
    firstUid,
    compileCache: join(data.cache, 'compiled'),
    network: new HelperNetwork({ ownerId: ownerIdOf(data), outbound: settings.outbound, logger }),
  });
  // Not before the region, which by then has locked the data directory, wants a helper: the cgroups
  // that are cleared away may be those of another that runs.
  let confined: Promise<void> | undefined;
  let rules: AdmissionRules | undefined;
  const known = () => {
    rules ??= rulesOf(data, settings, l2);
    return rules;
  };
  new Warden({
    channel: process,
    jails: {
      jails: true,
      spawn: async (helper) => {
        confined ??= confineHelpers(jails, data, logger);
        await confined;
        return jails.spawn(helper);
      },
      close: () => jails.close(),
    },
    admitHelper: (helper) => admitHelper(helper, known()),
    admitSandbox: (spec, agents) => admitSandbox(spec, agents, known()),
    openSandboxes: async (kind) => ({
      ...(await openLeanSandboxes({ data, settings, kind, logger, pipes: true })),
      clock: systemClock,
    }),
  });
}

await main(JSON.parse(process.env['SLUICE_WARDEN'] ?? '{}') as WardenArguments);
