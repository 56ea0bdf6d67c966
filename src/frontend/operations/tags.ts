import { limits } from '../../base/mod.ts';
import { invalidParameter, notFound } from '../api-error.ts';
import { authorizeFunction } from '../authorization.ts';
import { changeFunction } from '../change.ts';
import { type FunctionReference, parseFunctionReference } from '../function-name.ts';
import { findFunction } from '../lookup.ts';
import {
  type ApiRequest,
  json,
  label,
  noContent,
  type Operation,
  readInput,
} from '../operation.ts';
import type { Services } from '../services.ts';
import { map, string, structure, throwBreaches, validate } from '../shapes.ts';

const path = '/2017-03-31/tags/:Resource';
const resourcePattern =
  'arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:' +
  '(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|' +
  'code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[a-zA-Z0-9-]+|' +
  'capacity-provider:[a-zA-Z0-9-_]+)';
const resourceShape = string({ max: 256, min: 1, pattern: resourcePattern });
const tagInput = structure({ Tags: map(string(), string()) }, {});

/** The function that a tag operation is about; other kinds of resources have no tags here. */
function taggedFunction(
  services: Services,
  request: ApiRequest,
  operation: string,
): FunctionReference {
  const arn = validate(resourceShape, label(request, 'Resource'), 'resource');
  const kind = arn.split(':')[5];
  if (kind === 'event-source-mapping') throw notFound(`Event source mapping not found: ${arn}`);
  if (kind === 'capacity-provider') throw notFound(`Capacity provider not found: ${arn}`);
  if (kind !== 'function') {
    throw invalidParameter('An error occurred and the request cannot be processed.');
  }
  const caller = { accountId: request.caller.accountId, region: services.region };
  const reference = parseFunctionReference(arn, undefined, caller);
  authorizeFunction(services, request, operation, reference);
  if (reference.qualifier !== undefined) {
    throw invalidParameter(
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    );
  }
  return reference;
}

export function listTags(services: Services): Operation {
  return {
    name: 'ListTags',
    method: 'GET',
    path,
    async handle(request) {
      const reference = taggedFunction(services, request, 'ListTags');
      return json(200, { Tags: (await findFunction(services, reference)).tags });
    },
  };
}

export function tagResource(services: Services): Operation {
  return {
    name: 'TagResource',
    method: 'POST',
    path,
    async handle(request) {
      const reference = taggedFunction(services, request, 'TagResource');
      const { Tags } = readInput(request, tagInput);
      if (Object.keys(Tags).length === 0) {
        throw invalidParameter('An error occurred and the request cannot be processed.');
      }
      await changeFunction(services, reference, (record) => {
        const tags = { ...record.tags, ...Tags };
        requireTags(tags);
        return { function: { ...record, tags } };
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
      const reference = taggedFunction(services, request, 'UntagResource');
      const keys = request.query.getAll('tagKeys');
      if (keys.length === 0) {
        throwBreaches([
          "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
        ]);
      }
      await changeFunction(services, reference, (record) => {
        const kept = Object.entries(record.tags).filter(([key]) => !keys.includes(key));
        return { function: { ...record, tags: Object.fromEntries(kept) } };
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
