import { limits } from '../../base/mod.ts';
import { findFunction } from '../../catalogue/mod.ts';
import { invalidParameter, isApiError, notFound } from '../api-error.ts';
import { authorizeFunction } from '../authorization.ts';
import { changeFunction } from '../change.ts';
import { parseFunctionReference } from '../function-name.ts';
import { findMapping, mappingArn } from '../mapping-checks.ts';
import {
  type ApiRequest,
  json,
  label,
  noContent,
  type Operation,
  readInput,
} from '../operation.ts';
import type { Services } from '../services.ts';
import { throwBreaches } from '../shape-errors.ts';
import { map, string, structure, validate } from '../shapes.ts';

const path = '/2017-03-31/tags/:Resource';
const resourcePattern =
  'arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:' +
  '(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|' +
  'code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[a-zA-Z0-9-]+|' +
  'capacity-provider:[a-zA-Z0-9-_]+)';
const resourceShape = string({ max: 256, min: 1, pattern: resourcePattern });
const tagInput = structure({ Tags: map(string(), string()) }, {});

type Tags = Readonly<Record<string, string>>;

/** What has tags. */
interface Tagged {
  read(): Promise<Tags>;
  change(edit: (tags: Tags) => Tags): Promise<void>;
}

/** What a tag operation is about: a function or an event source mapping. */
async function taggedResource(
  services: Services,
  request: ApiRequest,
  operation: string,
): Promise<Tagged> {
  const arn = validate(resourceShape, label(request, 'Resource'), 'resource');
  const kind = arn.split(':')[5];
  if (kind === 'function') return taggedFunction(services, request, operation, arn);
  if (kind === 'event-source-mapping') return taggedMapping(services, request, operation, arn);
  if (kind === 'capacity-provider') throw notFound(`Capacity provider not found: ${arn}`);
  throw invalidParameter('An error occurred and the request cannot be processed.');
}

function taggedFunction(
  services: Services,
  request: ApiRequest,
  operation: string,
  arn: string,
): Tagged {
  const caller = { accountId: request.caller.accountId, region: services.region };
  const reference = parseFunctionReference(arn, undefined, caller);
  authorizeFunction(services, request, operation, reference);
  if (reference.qualifier !== undefined) {
    throw invalidParameter(
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    );
  }
  return {
    read: async () => (await findFunction(services, reference)).tags,
    change: async (edit) => {
      await changeFunction(services, reference, (record) => ({
        function: { ...record, tags: edit(record.tags) },
      }));
    },
  };
}

async function taggedMapping(
  services: Services,
  request: ApiRequest,
  operation: string,
  arn: string,
): Promise<Tagged> {
  const uuid = arn.split(':')[6] ?? '';
  const named = arn === mappingArn(services, request.caller.accountId, uuid);
  const found = named
    ? await findMapping(services, request, operation, uuid).catch((error) => {
        throw isApiError(error, 'ResourceNotFoundException') ? absentMapping(arn) : error;
      })
    : undefined;
  if (!found) throw absentMapping(arn);
  return {
    read: async () => found.tags,
    change: async (edit) => {
      await services.eventSources.mappings.change(uuid, (record) => ({
        ...record,
        tags: edit(record.tags),
      }));
    },
  };
}

const absentMapping = (arn: string) => notFound(`Event source mapping not found: ${arn}`);

export function listTags(services: Services): Operation {
  return {
    name: 'ListTags',
    method: 'GET',
    path,
    async handle(request) {
      const tagged = await taggedResource(services, request, 'ListTags');
      return json(200, { Tags: await tagged.read() });
    },
  };
}

export function tagResource(services: Services): Operation {
  return {
    name: 'TagResource',
    method: 'POST',
    path,
    async handle(request) {
      const tagged = await taggedResource(services, request, 'TagResource');
      const { Tags } = readInput(request, tagInput);
      if (Object.keys(Tags).length === 0) {
        throw invalidParameter('An error occurred and the request cannot be processed.');
      }
      await tagged.change((current) => {
        const tags = { ...current, ...Tags };
        requireTags(tags);
        return tags;
      });
      return noContent;
    },
  };
}

export function untagResource(services: Services): Operation {
  return {
    name: 'UntagResource',
    method: 'DELETE',
    path,
    async handle(request) {
      const tagged = await taggedResource(services, request, 'UntagResource');
      const keys = request.query.getAll('tagKeys');
      if (keys.length === 0) {
        throwBreaches([
          "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
        ]);
      }
      await tagged.change((tags) => {
        const kept = Object.entries(tags).filter(([key]) => !keys.includes(key));
        return Object.fromEntries(kept);
      });
      return noContent;
    },
  };
}

/** Throws when there are more tags, or longer ones, than a resource may have. */
export function requireTags(tags: Readonly<Record<string, string>>): void {
  const { tags: count, tagKeyChars, tagValueChars } = limits.lambda;
  const entries = Object.entries(tags);
  if (entries.length > count) throw invalidParameter('Number of tags exceeds resource tag limit.');
  for (const [key, value] of entries) {
    if (key.length === 0 || key.length > tagKeyChars || value.length > tagValueChars) {
      throw invalidParameter(
        `A tag's key has 1 to ${tagKeyChars} characters and its value at most ${tagValueChars}.`,
      );
    }
  }
}
