function json(text, name) {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: is no JSON (${error.message})`);
  }
}

/** The second argument of a handler, save what old handlers may answer with. */
export function contextOf(invoke, env) {
  const { requestId, deadlineMs, functionArn, tenantId } = invoke;
  return {
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: functionArn,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: requestId,
    tenantId,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: json(invoke.clientContext, 'clientContext'),
    identity: json(invoke.identity, 'identity'),
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}
