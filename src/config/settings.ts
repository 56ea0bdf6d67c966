import { z } from 'zod';
import { limits, MIB, SluiceError } from '../base/mod.ts';
import { readFileIfThere, replaceFileSync } from './durable-file.ts';
import { fileSystemSettings } from './file-systems.ts';
import { cacheSettings, registrySettings } from './image-settings.ts';

const ROTATION_DAYS_MAX = 3650;

const originSettings = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('directory') }),
  z.strictObject({
    kind: z.literal('s3'),
    bucket: z.string().min(3).max(63),
    prefix: z
      .string()
      .regex(/^$|\/$/, 'is empty or ends in a slash')
      .optional(),
    region: z.string().min(1),
    endpoint: z.url().optional(),
  }),
]);

const keySettings = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local') }),
  z.strictObject({
    kind: z.literal('kms'),
    region: z.string().min(1),
    endpoint: z.url().optional(),
    /** KMS key ids, ARNs or aliases by account id; `default` for all others. */
    keys: z.record(z.string(), z.string().min(1)),
  }),
]);

const saltSettings = z.strictObject({
  /** What deduplicates with what: the whole region, or each account with itself only. */
  scope: z.enum(['region', 'account']).default('region'),
  /** Days until new chunks get a new salt; 0 is never. */
  rotationDays: z.int().min(0).max(ROTATION_DAYS_MAX).default(0),
  /** A cell or zone that must not share chunks with another. */
  placement: z.string().max(64).default(''),
});

const starts = z.int().min(1).max(limits.assignment.startsSettable);

/** Cold starts at once; one more is refused, so that an empty cache slows and does not topple. */
const startSettings = z.strictObject({
  perRegion: starts.default(limits.assignment.startsPerRegion),
  perAccount: starts.default(limits.assignment.startsPerAccount),
  perWorker: starts.default(limits.worker.coldStartsAtOnce),
});

const sandboxSettings = z.strictObject({
  /** The first of the range of users and groups that sandboxes have, which is nobody else's. */
  firstUid: z
    .int()
    .min(limits.sandbox.users)
    .max(2 ** 31 - limits.sandbox.users)
    .default(limits.sandbox.firstUid),
});

/** Where archives of code may lie beside the requests that name them. */
const codeSettings = z.strictObject({
  s3: z
    .strictObject({
      region: z.string().min(1),
      endpoint: z.url().optional(),
      /** All of them may be read by every account, with the region's own credentials. */
      buckets: z.array(z.string().min(3).max(63)).min(1),
    })
    .optional(),
});

/** Base images of zip functions by runtime; this host's own files where none is named. */
const runtimeSettings = z.record(
  z
    .string()
    .regex(
      /^(nodejs\d+\.x|python3\.\d+|provided\.al2(023)?|java\d+(\.al2)?|dotnet\d+|ruby\d\.\d)$/,
      'is no runtime',
    ),
  z.string().min(1),
);

const sdkPlace = z
  .string()
  .regex(/^(off|host|\/.*)$/, 'is off, host, or an absolute path')
  .default('host');

/** AWS's SDK in the managed runtimes: this host's, that of a directory, or none. */
const sdkSettings = z.strictObject({
  /** A directory that `pip install --target` filled with boto3. */
  python: sdkPlace,
  /** A directory that `npm install --prefix` filled with `@aws-sdk/*`. */
  nodejs: sdkPlace,
});

/** Of queues and of topics. */
const queueSettings = z.strictObject({
  /** Of a service that speaks SQS's or SNS's protocol; AWS's own without one. */
  endpoint: z.url().optional(),
  /** What their ARNs name; the region's own name if absent. */
  region: z.string().min(1).optional(),
  /** The owners whose queues or topics an account may use besides its own, by account id. */
  accounts: z.record(z.string(), z.array(z.string().regex(/^\d{12}$/))).default({}),
});

const hostPattern =
  /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$|^[0-9.]+(\/\d{1,2})?$|^[0-9a-f:.]+(\/\d{1,3})?$/i;

const hosts = z
  .array(z.string().regex(hostPattern, 'is HOST, *.DOMAIN, ADDRESS or ADDRESS/BITS'))
  .default([]);

const destinationSettings = z.strictObject({
  /** Hosts that webhooks of all accounts may reach though they are near: names or ranges. */
  allow: hosts,
});

/** Where requests of tenants may lead: registries, webhooks, and sandboxes' own connections. */
const outboundSettings = z.strictObject({
  /** Hosts that are reachable though they are near, and by plain HTTP: names or ranges. */
  allow: hosts,
  /** Hosts that are not, though they look far: addresses by which this network is reached. */
  deny: hosts,
});

const imageSettings = z.strictObject({
  /** Folders of this host whose images an account may name, by account id. */
  local: z.record(z.string().regex(/^\d{12}$/), z.array(z.string().regex(/^\//))).default({}),
  /** Whether every account's images are pulled with the operator's own registry credentials. */
  shareCredentials: z.boolean().default(false),
});

/** How the addresses of function URLs are formed. */
const urlSettings = z.strictObject({
  /**
   * `host` is Lambda's own form, a name for each URL, which needs a wildcard in DNS unless clients
   * know that names below localhost are this host; `path` works wherever the region itself does.
   */
  form: z.enum(['host', 'path']).default('host'),
  /** What the names end in, with the port; localhost and the region's port if absent. */
  domain: z.string().min(1).max(253).optional(),
});

/** How the processes that handle what tenants made are held: agents and flatteners. */
const helperSettings = z.strictObject({
  /** `off`: with this process's own rights, on a host that cannot make jails. */
  jail: z.enum(['on', 'off']).default('on'),
  /** The first of 65,536 user ids that nobody else on this host has. */
  firstUid: z
    .int()
    .min(1000)
    .max(2 ** 31 - 1 - limits.helpers.uids)
    .default(limits.helpers.firstUid),
});

const gcSettings = z.strictObject({
  /** `off`: garbage goes when an operator runs the steps. */
  schedule: z.enum(['on', 'off']).default('on'),
  /** Days after which a root with garbage in it is rotated out. */
  rotateDays: z.int().min(1).max(ROTATION_DAYS_MAX).default(7),
});

const drainSettings = z.strictObject({
  /** The longest that a region that was told to stop waits for the invokes under way. */
  maxSeconds: z.int().min(1).max(3600).default(900),
});

const diskSettings = z.strictObject({
  /** What all sandboxes' `/tmp` may be promised together; a part of the free disk if absent. */
  scratchBytes: z.int().min(0).optional(),
  /** What all functions' logs may take. */
  logsBytes: z
    .int()
    .min(16 * MIB)
    .optional(),
  /** What flatteners may spool: a file of one has half of it. */
  spoolBytes: z
    .int()
    .min(64 * MIB)
    .optional(),
});

const unsupportedSettings = z.strictObject({
  /** What becomes of VpcConfig, and of FileSystemConfigs that `filesystems` has no directory for. */
  members: z.enum(['refuse', 'warn']).default('refuse'),
});

const metricsSettings = z.strictObject({
  /** Opens `/metrics` to callers beyond this host that send it as their bearer token. */
  token: z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'has 16 to 256 printable characters')
    .optional(),
  /** Serves `/metrics` there instead of beside the API. */
  listen: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'is HOST:PORT')
    .optional(),
});

const settingsSchema = z.strictObject({
  disk: diskSettings.default({}),
  drain: drainSettings.default(drainSettings.parse({})),
  filesystems: fileSystemSettings.default({}),
  gc: gcSettings.default(gcSettings.parse({})),
  helpers: helperSettings.default(helperSettings.parse({})),
  destinations: destinationSettings.default({ allow: [] }),
  outbound: outboundSettings.default({ allow: [], deny: [] }),
  metrics: metricsSettings.default({}),
  images: imageSettings.default({ local: {}, shareCredentials: false }),
  origin: originSettings.default({ kind: 'directory' }),
  keys: keySettings.default({ kind: 'local' }),
  code: codeSettings.default({}),
  runtime: runtimeSettings.default({}),
  sdk: sdkSettings.default(sdkSettings.parse({})),
  registries: registrySettings.default({ ca: {} }),
  cache: cacheSettings.default({}),
  salt: saltSettings.default({ scope: 'region', rotationDays: 0, placement: '' }),
  /** Whether functions fail by what would fail on Lambda; said once in their logs if not. */
  strict: z.boolean().default(false),
  starts: startSettings.default(startSettings.parse({})),
  sandbox: sandboxSettings.default(sandboxSettings.parse({})),
  /** Without it there are no queues. */
  sqs: queueSettings.optional(),
  /** Without it there are no topics. */
  sns: queueSettings.optional(),
  unsupported: unsupportedSettings.default({ members: 'refuse' }),
  urls: urlSettings.default({ form: 'host' }),
});

/** What an operator may set of a region, in `config.json` of its data directory. */
export type Settings = z.infer<typeof settingsSchema>;
export type OriginSettings = Settings['origin'];
export type KeySettings = Settings['keys'];
export type CodeSettings = Settings['code'];
export type CacheSettings = Settings['cache'];
export type SdkSettings = Settings['sdk'];
export type SaltSettings = Settings['salt'];
export type ImageSettings = Settings['images'];
export type QueueSettings = z.infer<typeof queueSettings>;

type Tree = { [key: string]: unknown };

function readTree(path: string): Tree {
  const text = readFileIfThere(path);
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Tree;
  } catch (cause) {
    throw new SluiceError('CONFIG_INVALID', `${path}: is not JSON; mend it or remove it`, {
      cause,
    });
  }
}

function parse(path: string, tree: Tree): Settings {
  const parsed = settingsSchema.safeParse(tree);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new SluiceError('CONFIG_INVALID', `${path}: ${problems.join('; ')}`);
}

/** The settings in force; what the file leaves out is at its default. Throws `CONFIG_INVALID`. */
export function readSettings(path: string): Settings {
  return parse(path, readTree(path));
}

/**
 * Sets one setting (`salt.scope`) or a whole group (`origin`) to a value, or to its default without
 * one, and answers the settings then. A value that does not fit leaves the file as it was.
 */
export function changeSetting(path: string, name: string, value: unknown): Settings {
  const tree = readTree(path);
  const [group = ''] = name.split('.', 1);
  const key = name.slice(group.length + 1);
  if (key === '') tree[group] = value;
  else tree[group] = { ...(tree[group] as Tree | undefined), [key]: value };
  const settings = parse(path, JSON.parse(JSON.stringify(tree)) as Tree);
  replaceFileSync(path, `${JSON.stringify(tree, null, 2)}\n`);
  return settings;
}
