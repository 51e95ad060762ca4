import type { EventMessage, EventsDocument, Schema } from './events-document.js';

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
code, pre { font: 14px/1.5 ui-monospace, monospace; } pre { background: #f4f5f7; padding: .75rem; overflow-x: auto; }
h2 { margin-top: 2.5rem; } h3 { margin: 2rem 0 0; } a { color: #0b57d0; } nav { columns: 3; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e6e8eb; } pre { background: #22252b; } a { color: #8ab4f8; }
}`;

/** The document as a page for people: no script, nothing from elsewhere. */
export function renderEventsPage(document: EventsDocument): string {
  const { info, operations, components } = document;
  const part = (action: 'send' | 'receive'): EventMessage[] =>
    Object.values(operations).flatMap((operation) => {
      const name = operation.messages[0]?.$ref.split('/').at(-1) ?? '';
      const message = components.messages[name];
      return operation.action === action && message ? [message] : [];
    });
  const show = (message: EventMessage): string => {
    const answer = components.messages[`${message.name}.acknowledgement`];
    return `
<h3 id="${escape(message.name)}"><code>${escape(message.name)}</code></h3>
<p>${prose(message.summary ?? '')}</p>
<pre>${escape(typeText(message.payload))}</pre>
${answer ? `<p>Acknowledged with</p>\n<pre>${escape(typeText(answer.payload))}</pre>` : ''}`;
  };
  const links = (messages: EventMessage[]): string =>
    messages.map(({ name }) => `<a href="#${escape(name)}">${escape(name)}</a><br>`).join('\n');
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<h3 id="schema-${escape(name)}"><code>${escape(name)}</code></h3>\n<pre>${escape(typeText(schema))}</pre>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(info.title)}</title><style>${STYLE}</style></head><body>
<h1>${escape(info.title)}</h1>
<p>${prose(info.description).replaceAll('\n\n', '</p>\n<p>')}</p>
<p>This page as an AsyncAPI document: the same address with <code>Accept: application/json</code>. The REST API:
<a href="/docs">/docs</a>.</p>
<h2>Server to client</h2>
<nav>${links(part('send'))}</nav>
${part('send').map(show).join('\n')}
<h2>Client to server</h2>
<nav>${links(part('receive'))}</nav>
${part('receive').map(show).join('\n')}
<h2>Shapes</h2>
${schemas.join('\n')}
</body></html>
`;
}

/** A schema as one would write the type. */
function typeText(schema: Schema, indent = ''): string {
  if (typeof schema.$ref === 'string') return schema.$ref.split('/').at(-1) ?? '';
  const options = (schema.oneOf ?? schema.anyOf) as Schema[] | undefined;
  if (options) return options.map((option) => typeText(option, indent)).join(' | ');
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const types = [schema.type].flat() as string[];
  return types.map((type) => plainType(type, schema, indent)).join(' | ');
}

function plainType(type: string, schema: Schema, indent: string): string {
  if (type === 'array') {
    const item = typeText(schema.items as Schema, indent);
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`;
  }
  if (type !== 'object') return typeof schema.format === 'string' ? `${type} (${schema.format})` : type;
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
  if (properties.length === 0) return '{}';
  const required = (schema.required ?? []) as string[];
  const inner = `${indent}  `;
  const lines = properties.map(([name, property]) => {
    const comment = typeof property.description === 'string' ? `  // ${property.description}` : '';
    return `${inner}${name}${required.includes(name) ? '' : '?'}: ${typeText(property, inner)}${comment}`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

/** Text with code in backticks. */
function prose(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escape(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '');
}
