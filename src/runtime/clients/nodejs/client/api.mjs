import { Connection } from './connection.mjs';

const PREFIX = '/2018-06-01/runtime';
const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';

/** The Runtime API over a connection that is kept. */
export class RuntimeApi {
  #address;
  #idle;

  /** `address`: HOST:PORT. */
  constructor(address) {
    this.#address = address;
  }

  /** Waits for the next event, however long that takes. */
  async next() {
    const { headers, body } = await this.#call('GET', '/invocation/next');
    const text = (name) => {
      const value = headers[`lambda-runtime-${name}`];
      return value === undefined ? undefined : Buffer.from(value, 'latin1').toString('utf8');
    };
    return {
      requestId: text('aws-request-id'),
      deadlineMs: Number(text('deadline-ms')),
      functionArn: text('invoked-function-arn'),
      traceId: text('trace-id'),
      tenantId: text('aws-tenant-id'),
      clientContext: text('client-context'),
      identity: text('cognito-identity'),
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

  /** A request whose body is the response as it comes. */
  stream(requestId, contentType) {
    const connection = this.#take();
    const trailer = `Trailer: ${ERROR_TYPE}, ${ERROR_BODY}\r\n`;
    connection.send(
      `${this.#head('POST', `/invocation/${requestId}/response`)}Content-Type: ${headerText(contentType)}\r\n` +
        `Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n${trailer}\r\n`,
    );
    let hasEnded = false;
    // An answer ahead of the end refuses the rest: it goes nowhere.
    const done = connection.answer().then(() => {
      if (hasEnded) this.#keep(connection);
      else connection.destroy();
    });
    return {
      /** Settles when the response was taken. */
      done,
      write: (chunk, callback) => connection.sendChunk(chunk, callback),
      end: (described) => {
        if (!hasEnded) connection.endChunks(described && trailersOf(described));
        hasEnded = true;
      },
    };
  }

  #fail(path, described) {
    const type = `${ERROR_TYPE}: ${headerText(described.errorType)}\r\n`;
    return this.#call('POST', path, JSON.stringify(described), type);
  }

  async #call(method, path, body = '', more = '') {
    const connection = this.#take();
    connection.send(
      `${this.#head(method, path)}Content-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`,
    );
    const answer = await connection.answer();
    this.#keep(connection);
    return answer;
  }

  #head(method, path) {
    return `${method} ${PREFIX}${path} HTTP/1.1\r\nHost: ${this.#address}\r\n`;
  }

  /** The idle connection, or another while that is in use: a dying process says so at once. */
  #take() {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle && !idle.isClosed) return idle;
    const [host, port] = this.#address.split(':');
    return new Connection(host, Number(port));
  }

  #keep(connection) {
    if (this.#idle && !this.#idle.isClosed) connection.destroy();
    else this.#idle = connection;
  }
}

/** A header is ASCII without line ends, whatever a function put there. */
const headerText = (value) => String(value).replace(/[^\x20-\x7e]/g, '?');

function trailersOf(described) {
  const body = Buffer.from(JSON.stringify(described)).toString('base64');
  return `${ERROR_TYPE}: ${headerText(described.errorType)}\r\n${ERROR_BODY}: ${body}\r\n`;
}
