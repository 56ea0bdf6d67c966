import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  InvokeCommand,
  type LambdaClient,
  ListAliasesCommand,
  PublishVersionCommand,
  paginateListFunctions,
  paginateListVersionsByFunction,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { systemClock } from '../../src/base/mod.ts';

export const kinds = ['functions', 'versions', 'aliases', 'events'] as const;
export type Kind = (typeof kinds)[number];

/** How many of a kind one round writes at most. */
const MOST: Readonly<Record<Kind, number>> = { functions: 1, versions: 3, aliases: 2, events: 20 };
const PAUSE_MS = 20;

/** What a region has acknowledged of one function's writes, over all its lives. */
export class Acknowledged {
  readonly names = new Map<Kind, Set<string>>(kinds.map((kind) => [kind, new Set()]));
  /** Writes that were refused or broken off. */
  refused = 0;

  counts(): Record<string, number> {
    return Object.fromEntries([...this.names].map(([kind, names]) => [kind, names.size]));
  }

  lost(kind: Kind, found: ReadonlySet<string | undefined>): string[] {
    return [...(this.names.get(kind) ?? [])].filter((name) => !found.has(name));
  }
}

export interface Target {
  readonly functionName: string;
  /** Of an image so small that a create takes no time. */
  readonly imageUri: string;
}

/** Writes of every kind, side by side, until `isOver` or the round's share is written. */
export async function writeRound(
  client: LambdaClient,
  { functionName: FunctionName, imageUri }: Target,
  round: number,
  acknowledged: Acknowledged,
  isOver: () => boolean,
): Promise<void> {
  const write: Record<Kind, (name: string) => Promise<unknown>> = {
    functions: (name) =>
      client.send(
        new CreateFunctionCommand({
          ...{ FunctionName: name, PackageType: 'Image', Code: { ImageUri: imageUri } },
          Role: 'arn:aws:iam::000000000000:role/any',
        }),
      ),
    versions: async (Description) => {
      await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Description }));
      return (await client.send(new PublishVersionCommand({ FunctionName }))).Version;
    },
    aliases: (Name) =>
      client.send(new CreateAliasCommand({ FunctionName, Name, FunctionVersion: '1' })),
    events: (name) =>
      client.send(
        new InvokeCommand({
          ...{ FunctionName, InvocationType: 'Event' },
          Payload: JSON.stringify({ mode: 'echo', name }),
        }),
      ),
  };
  const loop = async (kind: Kind) => {
    for (let n = 0; n < MOST[kind] && !isOver(); n++) {
      const name = `${kind}-${round}-${n}`;
      try {
        const answer = await write[kind](name);
        acknowledged.names.get(kind)?.add(typeof answer === 'string' ? answer : name);
      } catch {
        acknowledged.refused++;
      }
      await systemClock.sleep(PAUSE_MS);
    }
  };
  await Promise.all(kinds.map(loop));
}

/** The names of what was acknowledged and is not there, events left out. */
export async function lostRecords(
  client: LambdaClient,
  FunctionName: string,
  acknowledged: Acknowledged,
): Promise<string[]> {
  const functions = new Set<string | undefined>();
  for await (const page of paginateListFunctions({ client }, {})) {
    for (const each of page.Functions ?? []) functions.add(each.FunctionName);
  }
  const versions = new Set<string | undefined>();
  for await (const page of paginateListVersionsByFunction({ client }, { FunctionName })) {
    for (const each of page.Versions ?? []) versions.add(each.Version);
  }
  const aliases = new Set<string | undefined>();
  for (let Marker: string | undefined, more = true; more; more = Marker !== undefined) {
    const page = await client.send(new ListAliasesCommand({ FunctionName, Marker }));
    for (const each of page.Aliases ?? []) aliases.add(each.Name);
    Marker = page.NextMarker;
  }
  return [
    ...acknowledged.lost('functions', functions),
    ...acknowledged.lost('versions', versions),
    ...acknowledged.lost('aliases', aliases),
  ];
}

/** The events whose end, good or bad, was told to the directory `done`. */
export function eventsTold(dataDirectory: string): Set<string> {
  const directory = join(dataDirectory, 'destinations/000000000000/done');
  const files = existsSync(directory) ? readdirSync(directory) : [];
  return new Set(
    files
      .filter((file) => file.endsWith('.json'))
      .map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')))
      .map((record) => record.requestPayload.name as string),
  );
}
