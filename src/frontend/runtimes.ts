import type { ZipSupport } from '../install/mod.ts';
import type { Architecture } from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';

/** Runtimes that zip functions may be created for; the names are Lambda's. */
const supportedRuntimes = [
  'nodejs22.x',
  'nodejs24.x',
  'provided.al2',
  'provided.al2023',
  'python3.9',
  'python3.10',
  'python3.11',
  'python3.12',
  'python3.13',
  'python3.14',
] as const;

/** Names that the service knows, and no longer takes (service model, enum Runtime). */
const retiredRuntimes: readonly string[] = (
  'nodejs nodejs4.3 nodejs6.10 nodejs8.10 nodejs10.x nodejs12.x nodejs14.x nodejs16.x ' +
  'nodejs18.x nodejs20.x java8 python2.7 python3.6 python3.7 python3.8 dotnetcore1.0 ' +
  'dotnetcore2.0 dotnetcore2.1 dotnetcore3.1 dotnet6 nodejs4.3-edge go1.x ruby2.5 ruby2.7 provided'
).split(' ');

/** Names that the service takes; a region here has no base of its own for them. */
const absentRuntimes: readonly string[] =
  'java8.al2 java11 java17 java21 java25 dotnet8 dotnet10 ruby3.2 ruby3.3 ruby3.4'.split(' ');

/** What a layer may say that it is for. */
export const knownRuntimes: readonly string[] = [
  ...supportedRuntimes,
  ...absentRuntimes,
  ...retiredRuntimes,
];

/** Throws for a runtime, or a processor for it, that no sandbox here could run. */
export function requireRuntime(
  runtime: string,
  architecture: Architecture,
  zip: Pick<ZipSupport, 'namedBases' | 'architecture'> = {},
): void {
  if (zip.namedBases?.includes(runtime)) return;
  if ((supportedRuntimes as readonly string[]).includes(runtime)) {
    if (zip.architecture === undefined || zip.architecture === architecture) return;
    throw invalidParameter(
      `The architecture ${architecture} is not supported: this region runs ${runtime} on ` +
        `${zip.architecture}.`,
    );
  }
  if (retiredRuntimes.includes(runtime)) {
    throw invalidParameter(
      `The runtime parameter of ${runtime} is no longer supported for creating or updating AWS ` +
        'Lambda functions. We recommend you use a supported runtime while creating or updating ' +
        'functions.',
    );
  }
  if (absentRuntimes.includes(runtime)) {
    throw invalidParameter(
      `This region has no ${runtime} base: its operator can name one with the setting ` +
        `runtime.${runtime}; or create the function from a container image.`,
    );
  }
  throw invalidParameter(
    `Value ${runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value ` +
      `set: [${supportedRuntimes.join(', ')}] or be a valid ARN`,
  );
}
