import { Agent, createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OpenApiDocument, Schema } from '../support/openapi-check.js';
import { TestHttp } from '../support/http.js';

/** What the small server below answers, and how it describes that. */
interface Case {
  schema?: Schema;
  type?: string;
  status?: number;
  sent?: unknown;
  sentType?: string;
  sentStatus?: number;
}

const REQUEST_ID = 'the-id';
const CLOSED: Schema = {
  type: 'object',
  properties: { id: { type: 'string' } },
  additionalProperties: false,
};
const ERROR: Schema = {
  type: 'object',
  required: ['statusCode', 'error', 'message', 'requestId'],
  properties: {
    statusCode: { type: 'integer' },
    error: { type: 'string' },
    message: { type: 'string' },
    requestId: { type: 'string' },
  },
  additionalProperties: false,
};
const GOOD_ERROR = { statusCode: 404, error: 'Not Found', message: 'There is none.', requestId: REQUEST_ID };

let server: Server;
let http: TestHttp;
const agent = new Agent();

async function serve({ schema, type, status, sent, sentType, sentStatus }: Case): Promise<void> {
  const content = schema && { [type ?? 'application/json']: { schema } };
  const document: OpenApiDocument = {
    openapi: '3.1.0',
    paths: {
      '/things/{id}': {
        get: { responses: { [status ?? 200]: { description: 'A thing.', ...(content && { content }) } } },
      },
      '/things/special': { get: { responses: { 200: { description: 'Nothing.' } } } },
    },
    components: { schemas: { Thing: CLOSED } },
  };
  server = createServer((request, response) => {
    const isDocument = request.url === '/docs-json';
    response.setHeader('Content-Type', isDocument ? 'application/json' : (sentType ?? 'application/json'));
    response.setHeader('X-Request-Id', REQUEST_ID);
    response.statusCode = isDocument ? 200 : (sentStatus ?? status ?? 200);
    response.end(
      isDocument ? JSON.stringify(document) : request.url?.includes('special') ? '' : JSON.stringify(sent),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  http = new TestHttp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, agent);
}

afterEach(() => {
  server.closeAllConnections();
  server.close();
});
afterAll(() => {
  agent.destroy();
});

describe('the check of every answer against the OpenAPI document', () => {
  it.each<[string, Case]>([
    ['a described body', { schema: CLOSED, sent: { id: 'x' } }],
    ['a reference', { schema: { $ref: '#/components/schemas/Thing' }, sent: { id: 'x' } }],
    ['one of two', { schema: { anyOf: [CLOSED, { type: 'null' }] }, sent: null }],
    ['a list', { schema: { type: 'array', items: CLOSED }, sent: [{ id: 'x' }] }],
    ['a described error', { schema: ERROR, status: 404, sent: GOOD_ERROR }],
    [
      'a picture',
      { schema: { type: 'string', format: 'binary' }, type: 'image/*', sentType: 'image/png', sent: 'x' },
    ],
  ])('lets %s pass', async (_name, answer) => {
    await serve(answer);
    await expect(http.get('/things/1')).resolves.toMatchObject({ status: answer.status ?? 200 });
  });

  it.each<[string, Case, string]>([
    ['an undeclared field', { schema: CLOSED, sent: { id: 'x', more: 1 } }, 'additional properties'],
    ['a field of another type', { schema: CLOSED, sent: { id: 1 } }, 'must be string'],
    [
      'an undescribed status',
      { schema: CLOSED, sentStatus: 202, sent: { id: 'x' } },
      'status is not described',
    ],
    [
      'another content type',
      { schema: CLOSED, sentType: 'text/plain', sent: 'x' },
      'text/plain is not described',
    ],
    ['a body where none is described', { sent: { id: 'x' } }, 'a body where none'],
    ['an object without properties', { schema: { type: 'object' }, sent: {} }, 'without properties'],
    [
      'an open object',
      { schema: { type: 'object', properties: { id: {} } }, sent: {} },
      'open to undeclared',
    ],
    ['a schema that says nothing', { schema: {}, sent: {} }, 'says nothing'],
    ['a list of anything', { schema: { type: 'array' }, sent: [] }, 'list of anything'],
    [
      'an open object inside',
      { schema: { ...CLOSED, properties: { id: { type: 'object' } } }, sent: {} },
      'without properties',
    ],
    [
      'the nullable of OpenAPI 3.0',
      { schema: { type: 'string', nullable: true }, sent: 'x' },
      'means nothing',
    ],
    [
      'a wrong reason phrase',
      { schema: ERROR, status: 404, sent: { ...GOOD_ERROR, error: 'Gone' } },
      'reason phrase',
    ],
    [
      'a wrong status in it',
      { schema: ERROR, status: 404, sent: { ...GOOD_ERROR, statusCode: 400 } },
      'statusCode',
    ],
    [
      'another request id',
      { schema: ERROR, status: 404, sent: { ...GOOD_ERROR, requestId: 'x' } },
      'requestId',
    ],
    [
      'SQL in the message',
      { schema: ERROR, status: 404, sent: { ...GOOD_ERROR, message: 'bad SELECT x' } },
      'inside of the server',
    ],
  ])('refuses %s', async (_name, answer, problem) => {
    await serve(answer);
    await expect(http.get('/things/1')).rejects.toThrow(problem);
  });

  it('refuses a route and a method that are not described, unless the test says so', async () => {
    await serve({ schema: CLOSED, sent: { id: 'x' } });
    await expect(http.get('/other')).rejects.toThrow('no such route');
    await expect(http.post('/things/1')).rejects.toThrow('no such route');
    await expect(http.get('/other', { undocumented: true })).resolves.toMatchObject({ status: 200 });
  });

  it('takes a fixed route for itself before one with a parameter', async () => {
    await serve({ schema: CLOSED, sent: { id: 'x' } });
    await expect(http.get('/things/special?x=1')).resolves.toMatchObject({ status: 200 });
  });
});
