import { STATUS_CODES } from 'node:http';
import type { INestApplication, Type } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';
import { ERROR_CATALOGUE, type ErrorCode } from '../../common/errors.js';
import { groupBy } from '../../common/group-by.js';
import { describeForms } from './multipart.js';
import { ErrorBody, ErrorDetailBody, PageBody, describeCodes } from './openapi.js';

/** Refusals that any route of a kind may give. */
const COMMON: readonly ErrorCode[] = ['VALIDATION_FAILED', 'RATE_LIMITED', 'INTERNAL', 'NOT_READY'];
const COMMON_SIGNED_IN: readonly ErrorCode[] = [
  'UNAUTHENTICATED',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'SESSION_REVOKED',
];
const COMMON_WITH_BODY: readonly ErrorCode[] = [
  'MALFORMED_JSON',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
];

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** The OpenAPI 3.1 document of every route this application serves. */
export function buildOpenApi(app: INestApplication, version: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Parley')
    .setDescription(
      'People chat with people, and businesses with their WhatsApp customers. Live events: Socket.IO at `/socket.io`.',
    )
    .setVersion(version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addBearerAuth()
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    extraModels: [ErrorBody, ErrorDetailBody, PageBody],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}.${method}`,
  });
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method];
      if (operation) addCommonAnswers(operation);
    }
  }
  nameAliases(document);
  closeSchemas(document);
  describeForms(document);
  return inDialect31(document) as OpenAPIObject;
}

/** A route with two paths is one operation with two names: the second path's gets an id of its own, and says so. */
function nameAliases(document: OpenAPIObject): void {
  const paths = new Map<string, string>();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const operation of METHODS.map((method) => item[method])) {
      const id = operation?.operationId;
      if (!operation || id === undefined) continue;
      const first = paths.get(id);
      if (first === undefined) {
        paths.set(id, path);
      } else {
        operation.operationId = `${id}.alias`;
        operation.description = `Another name for \`${first}\`.`;
      }
    }
  }
}

/** No route lies in it: for documents of models alone. */
class Nothing {}

/** The JSON Schemas of classes with `@ApiProperty`, and of all that they refer to, by name; closed, as in OpenAPI. */
export function describeModels(
  app: INestApplication,
  models: readonly Type[],
): Record<string, Record<string, unknown>> {
  const document = SwaggerModule.createDocument(
    app,
    new DocumentBuilder().setOpenAPIVersion('3.1.0').build(),
    {
      include: [Nothing],
      extraModels: [...models],
    },
  );
  closeSchemas(document);
  const { components } = inDialect31(document) as OpenAPIObject;
  return (components?.schemas ?? {}) as Record<string, Record<string, unknown>>;
}

function addCommonAnswers(operation: Operation): void {
  const responses = operation.responses as Record<string, { description: string; content?: unknown }>;
  const signedIn = (operation.security?.length ?? 0) > 0;
  const codes = [
    ...COMMON,
    ...(signedIn ? COMMON_SIGNED_IN : []),
    ...(operation.requestBody ? COMMON_WITH_BODY : []),
  ];
  for (const [status, group] of groupBy(codes, (code) => ERROR_CATALOGUE[code].status)) {
    const existing = responses[status];
    const description = [existing?.description, describeCodes(group)].filter(Boolean).join('  \n');
    responses[status] = {
      description,
      content: { 'application/json': { schema: { $ref: getSchemaPath(ErrorBody) } } },
    };
  }
  for (const [status, response] of Object.entries(responses)) {
    if (!response.description) response.description = STATUS_CODES[status] ?? '';
  }
}

/** Nothing is answered that is not described: the contract tests then see a field that was forgotten here. */
function closeSchemas(document: OpenAPIObject): void {
  for (const schema of Object.values(document.components?.schemas ?? {})) {
    if ('properties' in schema && schema.additionalProperties === undefined)
      schema.additionalProperties = false;
  }
}

/**
 * Nest writes the schemas of OpenAPI 3.0. In 3.1 they are JSON Schema: `nullable` is a type or an alternative, and a
 * reference may have siblings, so it needs no `allOf` around it.
 */
function inDialect31(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(inDialect31);
  if (node === null || typeof node !== 'object') return node;
  const { nullable, allOf, ...rest } = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, inDialect31(value)]),
  ) as { nullable?: unknown; allOf?: object[]; type?: unknown; enum?: unknown[] };
  const plain = allOf?.length === 1 ? { ...rest, ...allOf[0] } : { ...rest, ...(allOf && { allOf }) };
  if (nullable !== true)
    return nullable === undefined || typeof nullable === 'boolean' ? plain : { ...plain, nullable };
  const { type, enum: values } = plain;
  if (typeof type === 'string') {
    return { ...plain, type: [type, 'null'], ...(values && { enum: [...values, null] }) };
  }
  return { anyOf: [plain, { type: 'null' }] };
}
