import { type FunctionReference, findFunction, functionArn } from '../../catalogue/mod.ts';
import type { FunctionRecord, PolicyRecord, PolicyStatement } from '../../records/mod.ts';
import { invalidParameter, notFound } from '../api-error.ts';
import { changeFunction, staleRevision } from '../change.ts';
import { json, label, noContent, type Operation, readInput } from '../operation.ts';
import {
  policyAnswer,
  principal,
  statementId,
  withoutStatement,
  withStatement,
} from '../policies/statements.ts';
import { referenceOf, requireQualifier } from '../request-target.ts';
import type { Services } from '../services.ts';
import { boolean, type ShapeType, string, structure, validate } from '../shapes.ts';

const path = '/2015-03-31/functions/:FunctionName/policy';
const addInput = structure(
  {
    StatementId: statementId,
    Action: string({ pattern: '(lambda:[*]|lambda:[a-zA-Z]+|[*])' }),
    Principal: string({ pattern: '[^\\s]+' }),
  },
  {
    SourceArn: string({ pattern: 'arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:.*' }),
    SourceAccount: string({ max: 12, pattern: '\\d{12}' }),
    EventSourceToken: string({ max: 256, pattern: '[a-zA-Z0-9._\\-]+' }),
    RevisionId: string(),
    PrincipalOrgID: string({ max: 34, min: 12, pattern: 'o-[a-z0-9]{10,32}' }),
    FunctionUrlAuthType: string({ values: ['NONE', 'AWS_IAM'] }),
    InvokedViaFunctionUrl: boolean(),
  },
);
type AddInput = ShapeType<typeof addInput>;

function conditionOf(input: AddInput): PolicyStatement['Condition'] {
  const equals: Record<string, string> = {};
  if (input.SourceAccount) equals['AWS:SourceAccount'] = input.SourceAccount;
  if (input.EventSourceToken) equals['lambda:EventSourceToken'] = input.EventSourceToken;
  if (input.PrincipalOrgID) equals['aws:PrincipalOrgID'] = input.PrincipalOrgID;
  if (input.FunctionUrlAuthType) {
    equals['lambda:FunctionUrlAuthType'] = input.FunctionUrlAuthType;
  }
  const condition: Record<string, Record<string, string>> = {};
  if (Object.keys(equals).length > 0) condition['StringEquals'] = equals;
  if (input.InvokedViaFunctionUrl !== undefined) {
    condition['Bool'] = { 'lambda:InvokedViaFunctionUrl': String(input.InvokedViaFunctionUrl) };
  }
  if (input.SourceArn) condition['ArnLike'] = { 'AWS:SourceArn': input.SourceArn };
  return Object.keys(condition).length > 0 ? condition : undefined;
}

const keyOf = (reference: FunctionReference) => reference.qualifier ?? '$LATEST';

function policyOf(record: FunctionRecord, reference: FunctionReference): PolicyRecord | undefined {
  const key = keyOf(reference);
  return Object.hasOwn(record.policies, key) ? record.policies[key] : undefined;
}

/** What the caller last read: the policy, or the function or alias that it belongs to. */
function requirePolicyRevision(
  record: FunctionRecord,
  reference: FunctionReference,
  given: string | undefined,
): void {
  if (given === undefined || given === policyOf(record, reference)?.revisionId) return;
  const { qualifier } = reference;
  const owner =
    qualifier === undefined
      ? record.latest
      : Object.hasOwn(record.aliases, qualifier) && record.aliases[qualifier];
  if (!owner || owner.revisionId !== given) throw staleRevision('GetPolicy');
}

/** `AddPermission`: one more statement in the policy of the function, version or alias. */
export function addPermission(services: Services): Operation {
  return {
    name: 'AddPermission',
    method: 'POST',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'AddPermission');
      const input = readInput(request, addInput);
      if (reference.qualifier === '$LATEST') {
        throw invalidParameter('We currently do not support adding policies for $LATEST.');
      }
      const Condition = conditionOf(input);
      const statement: PolicyStatement = {
        Sid: input.StatementId,
        Effect: 'Allow',
        Principal: principal(input.Principal),
        Action: input.Action,
        Resource: functionArn(services.region, reference, reference.qualifier),
        ...(Condition ? { Condition } : {}),
      };
      const revisionId = services.random.uuid();
      await changeFunction(services, reference, (record) => {
        requireQualifier(services, record, reference);
        const policy = policyOf(record, reference);
        requirePolicyRevision(record, reference, input.RevisionId);
        const statements = withStatement(policy, statement);
        const policies = { ...record.policies, [keyOf(reference)]: { statements, revisionId } };
        return { function: { ...record, policies } };
      });
      return json(201, { Statement: JSON.stringify(statement) });
    },
  };
}

export function getPolicy(services: Services): Operation {
  return {
    name: 'GetPolicy',
    method: 'GET',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'GetPolicy');
      const record = await findFunction(services, reference);
      const policy = policyOf(record, reference);
      if (!policy) throw notFound('The resource you requested does not exist.');
      return policyAnswer(policy);
    },
  };
}

export function removePermission(services: Services): Operation {
  return {
    name: 'RemovePermission',
    method: 'DELETE',
    path: `${path}/:StatementId`,
    async handle(request) {
      const reference = referenceOf(services, request, 'RemovePermission');
      const sid = validate(statementId, label(request, 'StatementId'), 'statementId');
      const given = request.query.get('RevisionId') ?? undefined;
      const arn = functionArn(services.region, reference);
      if (!(await services.cache.read(reference))) throw notFound(`No policy found for: ${arn}`);
      const revisionId = services.random.uuid();
      await changeFunction(services, reference, (record) => {
        requireQualifier(services, record, reference);
        const policy = policyOf(record, reference);
        const statements = withoutStatement(policy, sid);
        requirePolicyRevision(record, reference, given);
        const { [keyOf(reference)]: _, ...others } = record.policies;
        const policies =
          statements.length === 0
            ? others
            : { ...others, [keyOf(reference)]: { statements, revisionId } };
        return { function: { ...record, policies } };
      });
      return noContent;
    },
  };
}
