import { validate } from '@readme/openapi-parser';
import { useApp } from '../support/app.js';
import {
  findOpenParts,
  openApiOf,
  type OpenApiDocument,
  type Operation,
  type Schema,
} from '../support/openapi-check.js';

const app = useApp();
let document: OpenApiDocument;
let operations: { name: string; path: string; method: string; operation: Operation }[];

beforeAll(async () => {
  document = await openApiOf(app.url);
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      method,
      operation,
    })),
  );
});

/** Collects what is wrong with each operation, so that one run names all of it. */
function problems(check: (operation: Operation, path: string) => string[]): string[] {
  return operations.flatMap(({ name, path, operation }) =>
    check(operation, path).map((problem) => `${name}: ${problem}`),
  );
}

describe('/docs-json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    expect(document.openapi).toBe('3.1.0');
    const { body } = await app.http().get('/docs-json', { undocumented: true });
    expect(await validate(body)).toMatchObject({ valid: true, warnings: [] });
  });

  it('describes every route that the server has, and no other', () => {
    const router = app.running.nest.getHttpAdapter().getInstance().router as {
      stack: { route?: { path: string; methods: Record<string, boolean> } }[];
    };
    const served = router.stack.flatMap(({ route }) =>
      route
        ? Object.keys(route.methods).map(
            (method) => `${method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`,
          )
        : [],
    );
    const isDocs = (name: string): boolean => name.includes(' /docs');
    const expected = served.filter(
      (name) => !isDocs(name) && !name.startsWith('HEAD ') && !name.startsWith('_ALL '),
    );
    expect(operations.map(({ name }) => name).sort()).toEqual([...new Set(expected)].sort());
    expect(operations.length).toBeGreaterThan(30);
  });

  it('names, sorts and explains every operation', () => {
    const found = problems(({ operationId, summary, description, tags }) => [
      ...(operationId ? [] : ['no operationId']),
      ...((summary ?? description) ? [] : ['no summary or description']),
      ...(tags?.length ? [] : ['no tag']),
    ]);
    expect(found).toEqual([]);
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('describes every parameter and body, closed against other fields', () => {
    const found = problems(({ parameters = [], requestBody }, path) => {
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      const expected = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const bodies = Object.entries(requestBody?.content ?? {});
      return [
        ...(inPath.sort().join() === expected.sort().join() ? [] : [`path parameters ${inPath.join()}`]),
        ...parameters
          .filter(({ schema }) => !schema?.type && !schema?.$ref && !schema?.anyOf)
          .map(({ name }) => `parameter ${name} has no type`),
        ...bodies.flatMap(([type, { schema }]) => findOpenParts(document, schema ?? {}, `body ${type}`)),
      ];
    });
    expect(found).toEqual([]);
  });

  it('describes every answer, closed against other fields', () => {
    const found = problems(({ responses }) => {
      const statuses = Object.keys(responses);
      return [
        ...(statuses.some((status) => status.startsWith('2')) ? [] : ['no successful answer']),
        ...Object.entries(responses).flatMap(([status, { description, content }]) => [
          ...(description ? [] : [`${status} has no description`]),
          ...Object.entries(content ?? {}).flatMap(([type, { schema }]) =>
            type === 'application/json'
              ? findOpenParts(document, schema ?? {}, status)
              : schema
                ? []
                : [`${status} has no schema`],
          ),
        ]),
      ];
    });
    expect(found).toEqual([]);
  });

  it('has one form for all errors', () => {
    const found = problems(({ responses }) =>
      Object.entries(responses)
        .filter(([status, { content }]) => Number(status) >= 400 && (content ?? status !== '416'))
        .filter(
          ([, { content }]) =>
            content?.['application/json']?.schema?.$ref !== '#/components/schemas/ErrorBody',
        )
        .map(([status]) => status),
    );
    expect(found).toEqual([]);
  });

  it('says of every route that is not public that it needs a token, and what it answers without', () => {
    const isOpen = (name: string): boolean =>
      / \/(health.*|metrics|(whatsapp\/)?webhook|)$|\/api\/auth\/(register|login|refresh|forgot-password|reset-password)$/.test(
        name,
      );
    const wrong = operations.filter(({ name, operation }) => {
      const isClosed = (operation.security?.length ?? 0) > 0 && operation.responses['401'] !== undefined;
      return isClosed === isOpen(name);
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('gives every field of every schema a type', () => {
    const found = Object.entries(document.components.schemas).flatMap(([name, schema]: [string, Schema]) =>
      findOpenParts(document, schema, name),
    );
    expect([...new Set(found)]).toEqual([]);
  });
});

describe('/docs', () => {
  it('serves Swagger UI, all of it from here and under the policy it is sent with', async () => {
    const page = await app.http().get('/docs', { undocumented: true });
    expect(page.status).toBe(200);
    expect(page.body).toContain('swagger-ui');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain("script-src 'self' 'unsafe");
    // Inline scripts and foreign addresses would be stopped by that policy.
    expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>/);
    const addresses = [...(page.body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map(
      ([, address]) => address!,
    );
    expect(addresses.length).toBeGreaterThan(3);
    for (const address of addresses) {
      const { pathname, host } = new URL(address, `${app.url}/docs`);
      expect(host).toBe(new URL(app.url).host);
      expect((await app.http().get(pathname, { undocumented: true })).status).toBe(200);
    }
  });
});
