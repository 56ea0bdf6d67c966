import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, type Meter, systemClock, systemRandom } from '../base/mod.ts';
import type { DataDirectory, OriginSettings } from '../config/mod.ts';
import { directoryOrigin, type KeepNote, type Origin, type S3Location, s3Origin } from './mod.ts';

/** Where a region's origin is, as its processes are told. */
export type OriginPlace =
  | { readonly kind: 'directory'; readonly directory: string }
  | ({ readonly kind: 's3' } & S3Location);

export function originPlace(settings: OriginSettings, data: DataDirectory): OriginPlace {
  if (settings.kind === 'directory') return { kind: 'directory', directory: data.origin };
  const { bucket, region, prefix, endpoint } = settings;
  return {
    kind: 's3',
    bucket,
    region,
    ...(prefix !== undefined && { prefix }),
    ...(endpoint !== undefined && { endpoint }),
  };
}

export interface OpenOriginOptions {
  /** Where the directory may only be read. */
  readonly keepNote?: KeepNote | undefined;
  readonly patienceMs?: number;
}

export function openOrigin(
  place: OriginPlace,
  meter: Meter,
  logger: Logger,
  { keepNote, patienceMs }: OpenOriginOptions = {},
): Promise<Origin> {
  const tools = { clock: systemClock, random: systemRandom, meter, logger };
  const options = { ...tools, keepNote, patienceMs };
  if (place.kind === 'directory') return Promise.resolve(directoryOrigin(place.directory, options));
  return s3Origin(place, options);
}

const AWS_VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CONFIG_FILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_ROLE_ARN',
  'HOME',
] as const;

const CREDENTIAL_FILES = [
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CONFIG_FILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
] as const;

/** The files that `originEnvironment` may lead to. */
export function originCredentialFiles(place: OriginPlace): string[] {
  if (place.kind !== 's3') return [];
  const named = CREDENTIAL_FILES.map((name) => process.env[name]);
  const files = [...named, process.env['HOME'] && join(process.env['HOME'], '.aws')];
  return files.filter((path) => path !== undefined && path !== '' && existsSync(path)) as string[];
}

/** The environment of a process that opens the origin: nothing of ours except access to S3. */
export function originEnvironment(place: OriginPlace | undefined): NodeJS.ProcessEnv {
  const path = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' };
  if (place?.kind !== 's3') return path;
  const given = AWS_VARIABLES.filter((name) => process.env[name] !== undefined);
  return { ...path, ...Object.fromEntries(given.map((name) => [name, process.env[name]])) };
}

/** The hosts that a process connects to which opens the origin. */
export function originHosts(place: OriginPlace): string[] {
  if (place.kind === 'directory') return [];
  const { bucket, region, endpoint } = place;
  if (endpoint !== undefined) return [new URL(endpoint).hostname.replace(/^\[|\]$/g, '')];
  const host = `s3.${region}.amazonaws.com`;
  return [host, `${bucket}.${host}`, `sts.${region}.amazonaws.com`];
}
