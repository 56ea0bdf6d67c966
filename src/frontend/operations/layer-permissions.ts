import type { LayerKey, LayerStore, PolicyRecord, PolicyStatement } from '../../records/mod.ts';
import { notFound } from '../api-error.ts';
import { staleRevision } from '../change.ts';
import { zipSupport } from '../code-source.ts';
import { layerArn, readLayerKey } from '../layer-name.ts';
import {
  type ApiRequest,
  json,
  label,
  noContent,
  type Operation,
  readInput,
} from '../operation.ts';
import {
  policyAnswer,
  principal,
  statementId,
  withoutStatement,
  withStatement,
} from '../policies/statements.ts';
import type { Services } from '../services.ts';
import { string, structure, validate } from '../shapes.ts';
import { readVersion } from './layers.ts';

const path = '/2018-10-31/layers/:LayerName/versions/:VersionNumber/policy';
const addInput = structure(
  {
    StatementId: statementId,
    Action: string({ max: 22, pattern: 'lambda:GetLayerVersion' }),
    Principal: string({ pattern: '\\d{12}|\\*|arn:(aws[a-zA-Z-]*):iam::\\d{12}:root' }),
  },
  { OrganizationId: string({ max: 34, pattern: 'o-[a-z0-9]{10,32}' }) },
);

interface LayerTarget {
  readonly layers: LayerStore;
  readonly key: LayerKey;
  readonly version: number;
  readonly arn: string;
}

/** The caller's own layer version that the path names; it must be there. */
async function targetOf(
  services: Services,
  request: ApiRequest,
  operation: string,
): Promise<LayerTarget> {
  const key = readLayerKey(services, request, operation, label(request, 'LayerName'));
  const version = readVersion(label(request, 'VersionNumber'));
  const { layers } = zipSupport(services);
  const arn = `${layerArn(services.region, key)}:${version}`;
  if (!(await layers.read(key, version))) throw notFound(`Layer version ${arn} does not exist.`);
  return { layers, key, version, arn };
}

function requireRevision(policy: PolicyRecord | undefined, request: ApiRequest): void {
  const given = request.query.get('RevisionId');
  if (given !== null && given !== policy?.revisionId) throw staleRevision('GetLayerPolicy');
}

/** `AddLayerVersionPermission`: lets another account, or every account, use a version. */
export function addLayerVersionPermission(services: Services): Operation {
  return {
    name: 'AddLayerVersionPermission',
    method: 'POST',
    path,
    async handle(request) {
      const target = await targetOf(services, request, 'AddLayerVersionPermission');
      const input = readInput(request, addInput);
      const organization = input.OrganizationId;
      const statement: PolicyStatement = {
        Sid: input.StatementId,
        Effect: 'Allow',
        Principal: principal(input.Principal),
        Action: input.Action,
        Resource: target.arn,
        ...(organization && {
          Condition: { StringEquals: { 'aws:PrincipalOrgID': organization } },
        }),
      };
      const revisionId = services.random.uuid();
      await target.layers.changePolicy(target.key, target.version, (policy) => {
        requireRevision(policy, request);
        return { statements: withStatement(policy, statement), revisionId };
      });
      return json(201, { Statement: JSON.stringify(statement), RevisionId: revisionId });
    },
  };
}

export function getLayerVersionPolicy(services: Services): Operation {
  return {
    name: 'GetLayerVersionPolicy',
    method: 'GET',
    path,
    async handle(request) {
      const { layers, key, version } = await targetOf(services, request, 'GetLayerVersionPolicy');
      const policy = await layers.readPolicy(key, version);
      if (!policy) throw notFound('No policy is associated with the given resource.');
      return policyAnswer(policy);
    },
  };
}

export function removeLayerVersionPermission(services: Services): Operation {
  return {
    name: 'RemoveLayerVersionPermission',
    method: 'DELETE',
    path: `${path}/:StatementId`,
    async handle(request) {
      const target = await targetOf(services, request, 'RemoveLayerVersionPermission');
      const sid = validate(statementId, label(request, 'StatementId'), 'statementId');
      const revisionId = services.random.uuid();
      await target.layers.changePolicy(target.key, target.version, (policy) => {
        const statements = withoutStatement(policy, sid);
        requireRevision(policy, request);
        return statements.length === 0 ? undefined : { statements, revisionId };
      });
      return noContent;
    },
  };
}
