import { STATUS_CODES } from 'node:http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { exchange, type Answer } from './http.js';

/** A JSON Schema as the document has it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  nullable?: boolean;
  [keyword: string]: unknown;
}

export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; schema?: Schema; description?: string }[];
  requestBody?: { required?: boolean; content: Record<string, { schema?: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: Schema }> }>;
}

export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes?: Record<string, unknown> };
}

interface Contract {
  document: OpenApiDocument;
  ajv: Ajv2020;
  validators: Map<string, ValidateFunction>;
  routes: { pattern: RegExp; template: string; parameters: number }[];
}

/** Instances of one build describe themselves alike, so a document is compiled once a worker. */
const contracts = new Map<string, Contract>();
const contractOfServer = new Map<string, Promise<Contract>>();

/** The OpenAPI document that the server at `url` hands out. */
export async function openApiOf(url: string): Promise<OpenApiDocument> {
  return (await contractOf(url)).document;
}

/**
 * Checks an answer against the document of its server.
 *
 * @throws Error when the route, the status or the content type is not described, when the schema leaves open what
 *   it describes, and when the body does not have exactly the described form
 */
export async function checkAnswer(url: string, method: string, path: string, answer: Answer): Promise<void> {
  const contract = await contractOf(url);
  const call = `${method} ${path.split('?')[0] ?? ''} → ${answer.status}`;
  const fail = (problem: string): never => {
    throw new Error(`${call}: ${problem}\n${describe(answer)}`);
  };

  const found = findOperation(contract, method, path);
  if (!found) return fail('no such route in the OpenAPI document');
  const { operation, template } = found;
  const response = operation.responses[answer.status];
  if (!response) return fail(`this status is not described for ${method} ${template}`);
  if (method === 'HEAD') return;

  const type = answer.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (!response.content) {
    if (answer.bytes.length > 0) fail('a body where none is described');
    return;
  }
  if (type === undefined) return fail('no content type where a body is described');
  const range = mediaRangeOf(type, Object.keys(response.content));
  if (range === undefined) return fail(`content type ${type} is not described`);
  const schema = response.content[range]?.schema;
  if (!schema) return fail(`${range} has no schema`);
  if (type === 'application/json') {
    const validate = validatorFor(contract, `${method} ${template} ${answer.status}`, schema);
    if (!validate(answer.body)) fail(contract.ajv.errorsText(validate.errors, { separator: '\n' }));
  }
  const problem = answer.status >= 400 ? problemOfError(answer) : undefined;
  if (problem !== undefined) fail(problem);
}

/** Everything in a schema that would let an undescribed answer pass, with its place. Empty for a closed schema. */
export function findOpenParts(
  document: OpenApiDocument,
  schema: Schema,
  place = '',
  seen = new Set<string>(),
): string[] {
  if (schema.$ref !== undefined) {
    if (seen.has(schema.$ref)) return [];
    const name = schema.$ref.replace('#/components/schemas/', '');
    const target = document.components.schemas[name];
    if (!target) return [`${place}: ${schema.$ref} does not exist`];
    return findOpenParts(document, target, name, new Set([...seen, schema.$ref]));
  }
  if (schema.nullable !== undefined) return [`${place}: "nullable" means nothing in OpenAPI 3.1`];
  const branches = schema.oneOf ?? schema.anyOf;
  if (branches) {
    return branches.flatMap((branch, index) => findOpenParts(document, branch, `${place}|${index}`, seen));
  }
  if (schema.allOf) return [`${place}: allOf cannot be closed against undeclared fields`];
  if (schema.enum !== undefined || schema.const !== undefined) return [];
  if (schema.type === undefined) return [`${place}: says nothing about its type`];
  const problems: string[] = [];
  const types = [schema.type].flat();
  if (types.includes('object')) {
    const { properties, additionalProperties } = schema;
    // Said in so many words, and of nothing else: somebody else's JSON, handed on.
    const isForeign = additionalProperties === true && properties === undefined;
    if (isForeign) return problems;
    if (typeof additionalProperties === 'object') {
      problems.push(...findOpenParts(document, additionalProperties, `${place}.*`, seen));
    } else if (!properties || Object.keys(properties).length === 0) {
      problems.push(`${place}: an object without properties`);
    } else if (additionalProperties !== false) {
      problems.push(`${place}: an object open to undeclared fields`);
    }
    for (const [name, property] of Object.entries(properties ?? {})) {
      problems.push(...findOpenParts(document, property, `${place}.${name}`, seen));
    }
  }
  if (types.includes('array')) {
    if (!schema.items) problems.push(`${place}: a list of anything`);
    else problems.push(...findOpenParts(document, schema.items, `${place}[]`, seen));
  }
  return problems;
}

function contractOf(url: string): Promise<Contract> {
  let contract = contractOfServer.get(url);
  if (!contract) {
    contract = fetchContract(url);
    contractOfServer.set(url, contract);
  }
  return contract;
}

async function fetchContract(url: string): Promise<Contract> {
  const { status, bytes } = await exchange(url, undefined, { method: 'GET', path: '/docs-json' });
  if (status !== 200) throw new Error(`/docs-json answers ${status}`);
  const text = bytes.toString();
  let contract = contracts.get(text);
  if (!contract) {
    contract = compile(JSON.parse(text) as OpenApiDocument);
    contracts.set(text, contract);
  }
  return contract;
}

function compile(document: OpenApiDocument): Contract {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, allowUnionTypes: true });
  addFormats.default(ajv);
  // Annotations of OpenAPI's dialect, and formats that mean nothing to JSON (spec.openapis.org/oas/v3.1.0, 4.7.24).
  ajv.addVocabulary(['components', 'example', 'discriminator', 'xml', 'externalDocs']);
  ajv.addFormat('binary', true);
  ajv.addSchema({ $id: 'document', components: document.components }, 'document', false, false);
  const routes = Object.keys(document.paths).map((template) => ({
    template,
    parameters: template.split('{').length - 1,
    pattern: new RegExp(
      `^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}/?$`,
    ),
  }));
  // `/messages/starred` is itself before it is a message's id.
  routes.sort((a, b) => a.parameters - b.parameters);
  return { document, ajv, validators: new Map(), routes };
}

function findOperation(
  { document, routes }: Contract,
  method: string,
  path: string,
): { operation: Operation; template: string } | undefined {
  const plain = path.split('?')[0] ?? '';
  // A HEAD is answered like its GET, without the body.
  const asked = method === 'HEAD' ? 'get' : method.toLowerCase();
  for (const { pattern, template } of routes) {
    const operation = pattern.test(plain) ? document.paths[template]?.[asked] : undefined;
    if (operation) return { operation, template };
  }
  return undefined;
}

function mediaRangeOf(type: string, ranges: string[]): string | undefined {
  return ranges.find((range) => {
    const [plain = ''] = range.split(';');
    return plain === type || plain === '*/*' || (plain.endsWith('/*') && type.startsWith(plain.slice(0, -1)));
  });
}

function validatorFor(contract: Contract, key: string, schema: Schema): ValidateFunction {
  let validate = contract.validators.get(key);
  if (!validate) {
    const openParts = findOpenParts(contract.document, schema);
    if (openParts.length > 0) throw new Error(`${key} is not fully described:\n${openParts.join('\n')}`);
    const absolute = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
    validate = contract.ajv.compile(JSON.parse(absolute) as object);
    contract.validators.set(key, validate);
  }
  return validate;
}

/** What the schema cannot say of an error: it repeats the status and the request's id. */
function problemOfError({ status, headers, body }: Answer): string | undefined {
  const { statusCode, error, requestId, message } = body as Record<string, unknown>;
  if (statusCode !== status) return `statusCode is ${String(statusCode)}`;
  if (error !== STATUS_CODES[status]) return `error is not the reason phrase "${STATUS_CODES[status] ?? ''}"`;
  if (requestId !== headers['x-request-id']) return 'requestId is not the one in the header';
  if (typeof message !== 'string' || /\n\s+at |[/\\]src[/\\]|node_modules|SELECT |INSERT /.test(message)) {
    return 'the message shows the inside of the server';
  }
  return undefined;
}

function describe({ headers, bytes }: Answer): string {
  return `${headers['content-type'] ?? 'no content type'}: ${bytes.subarray(0, 2_000).toString()}`;
}
