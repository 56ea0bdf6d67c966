import http from 'node:http';

const PREFIX = '/2018-06-01/runtime';

/** The Runtime API over connections that are kept. */
export class RuntimeApi {
  #host;
  #port;
  #agent = new http.Agent({ keepAlive: true });

  /** `address`: HOST:PORT. */
  constructor(address) {
    [this.#host, this.#port] = address.split(':');
  }

  /** Waits for the next event, however long that takes. */
  async next() {
    const { headers, body } = await this.#call('GET', '/invocation/next');
    const utf8 = (text) => Buffer.from(text, 'latin1').toString('utf8');
    const json = (name) => (headers[name] ? JSON.parse(utf8(headers[name])) : undefined);
    return {
      requestId: headers['lambda-runtime-aws-request-id'],
      deadlineMs: Number(headers['lambda-runtime-deadline-ms']),
      functionArn: headers['lambda-runtime-invoked-function-arn'],
      traceId: headers['lambda-runtime-trace-id'],
      clientContext: json('lambda-runtime-client-context'),
      identity: json('lambda-runtime-cognito-identity'),
      body,
    };
  }

  respond(requestId, body) {
    return this.#call('POST', `/invocation/${requestId}/response`, body);
  }

  fail(requestId, described) {
    return this.#fail(`/invocation/${requestId}/error`, described);
  }

  failInit(described) {
    return this.#fail('/init/error', described);
  }

  /** A request whose body is the response as it comes; `done` settles when it was taken. */
  stream(requestId, contentType) {
    const request = this.#request('POST', `/invocation/${requestId}/response`, {
      'Content-Type': contentType,
      'Transfer-Encoding': 'chunked',
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    });
    request.flushHeaders();
    return { request, done: answerOf(request) };
  }

  #fail(path, described) {
    const headers = { 'Lambda-Runtime-Function-Error-Type': errorTypeHeader(described) };
    return this.#call('POST', path, JSON.stringify(described), headers);
  }

  #request(method, path, headers = {}) {
    return http.request({
      ...{ agent: this.#agent, host: this.#host, port: this.#port, method, headers },
      path: `${PREFIX}${path}`,
    });
  }

  #call(method, path, body, headers = {}) {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const type = { 'Content-Type': 'application/json' };
    const request = this.#request(method, path, { ...type, ...length, ...headers });
    request.end(body);
    return answerOf(request);
  }
}

/** A header is ASCII without line ends, whatever a function called its error. */
export function errorTypeHeader({ errorType }) {
  return String(errorType).replace(/[^\x20-\x7e]/g, '?');
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ headers: response.headers, body: Buffer.concat(parts).toString('utf8') }),
      );
    });
  });
}
