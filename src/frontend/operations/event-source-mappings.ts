import { invalidParameter, notFound } from '../api-error.ts';
import { authorize } from '../authorization.ts';
import { json, type Operation } from '../operation.ts';
import type { Services } from '../services.ts';

const path = '/2015-03-31/event-source-mappings';

/** There are no event sources to poll: creating a mapping is refused, and lists are empty. */
export function createEventSourceMapping(services: Services): Operation {
  return {
    name: 'CreateEventSourceMapping',
    method: 'POST',
    path,
    async handle(request) {
      authorize(services, request, 'CreateEventSourceMapping');
      throw invalidParameter('Unrecognized event source. This region polls no event sources.');
    },
  };
}

export function listEventSourceMappings(services: Services): Operation {
  return {
    name: 'ListEventSourceMappings',
    method: 'GET',
    path,
    async handle(request) {
      authorize(services, request, 'ListEventSourceMappings');
      return json(200, { EventSourceMappings: [] });
    },
  };
}

function missing(
  services: Services,
  name: `${'Get' | 'Update' | 'Delete'}EventSourceMapping`,
  method: Operation['method'],
): Operation {
  return {
    ...{ name, method, path: `${path}/:UUID` },
    async handle(request) {
      authorize(services, request, name);
      throw notFound('The resource you requested does not exist.');
    },
  };
}

export const getEventSourceMapping = (services: Services) =>
  missing(services, 'GetEventSourceMapping', 'GET');
export const updateEventSourceMapping = (services: Services) =>
  missing(services, 'UpdateEventSourceMapping', 'PUT');
export const deleteEventSourceMapping = (services: Services) =>
  missing(services, 'DeleteEventSourceMapping', 'DELETE');
