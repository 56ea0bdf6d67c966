import { type Digest, isDigest } from './digest.ts';
import { isObject, malformed, parseJsonObject, stringMap } from './documents.ts';

export interface HistoryEntry {
  readonly createdBy?: string;
  readonly created?: string;
  readonly comment?: string;
  readonly emptyLayer: boolean;
}

/** What an image says of itself and of how to run it (image-spec, config.md). */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** `NAME=value`, in order. */
  readonly env: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly stopSignal?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** Reads an image's configuration. Throws `IMAGE_MALFORMED`. */
export function parseImageConfig(bytes: Buffer, where: string): ImageConfig {
  const json = parseJsonObject(bytes, where);
  const run = isObject(json['config']) ? json['config'] : {};
  const rootfs = json['rootfs'];
  // Go writes an empty list as null; an image of no layers has no need of one.
  const list = isObject(rootfs) ? (rootfs['diff_ids'] ?? []) : undefined;
  if (!Array.isArray(list)) throw malformed(where, 'it has no "rootfs.diff_ids"');
  const diffIds = list.map((each) => {
    if (!isDigest(each)) throw malformed(where, 'a "diff_id" is no digest');
    return each;
  });
  const text = (from: Readonly<Record<string, unknown>>, key: string) => {
    const value = from[key];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string') throw malformed(where, `"${key}" is no string`);
    return value;
  };
  const words = (key: string) => {
    const value = run[key];
    if (value === undefined || value === null) return undefined;
    // Docker wrote a bare string here once.
    if (typeof value === 'string') return [value];
    if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
      throw malformed(where, `"config.${key}" is no list of strings`);
    }
    return value as string[];
  };
  return withoutUndefined<ImageConfig>({
    architecture: text(json, 'architecture') ?? '',
    os: text(json, 'os') ?? '',
    variant: text(json, 'variant'),
    created: text(json, 'created'),
    entrypoint: words('Entrypoint'),
    cmd: words('Cmd'),
    env: words('Env') ?? [],
    workingDir: text(run, 'WorkingDir'),
    user: text(run, 'User'),
    stopSignal: text(run, 'StopSignal'),
    labels: stringMap(run['Labels']),
    diffIds,
    history: parseHistory(json['history']),
  });
}

function parseHistory(value: unknown): HistoryEntry[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isObject).map((each) => {
    const text = (key: string) => (typeof each[key] === 'string' ? each[key] : undefined);
    return withoutUndefined<HistoryEntry>({
      createdBy: text('created_by'),
      created: text('created'),
      comment: text('comment'),
      emptyLayer: each['empty_layer'] === true,
    });
  });
}

type OrUndefined<T> = { [K in keyof T]-?: T[K] | undefined };

function withoutUndefined<T>(fields: OrUndefined<T>): T {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as T;
}
