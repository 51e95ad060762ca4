import { validationError, type ErrorDetail } from '../../common/errors.js';
import { codePointLength } from '../../infra/http/validators.js';
import {
  isWebAddress,
  LIMITS,
  namesIn,
  PLACEHOLDER,
  textsOf,
  variablesOf,
  type TemplateButton,
  type TemplateHeader,
  type TemplateParts,
} from './template-parts.js';

export type Variables = Readonly<Record<string, string>>;

/** How Meta's own template is called and filled in. */
export interface MetaCall {
  name: string;
  /** Meta's code, such as `en_US`. */
  language: string;
  /** Whether each parameter of header and body says its name. */
  isNamed: boolean;
}

/** A template with its variables filled in, ready to be sent. */
export interface RenderedTemplate {
  type: 'TEXT' | 'INTERACTIVE';
  /** What people see of it. */
  text: string;
  /** The part of Meta's request that is special to it. */
  request: Record<string, unknown>;
  /** One of Meta's, which may be sent while the window is closed. */
  isTemplate: boolean;
}

/**
 * Fills in a template.
 *
 * @param meta set: it is sent as Meta's approved template; else as a text or an interactive message
 * @throws AppError VALIDATION_FAILED naming each missing variable (`variables.name`), and what has grown too long
 */
export function renderTemplate(
  parts: TemplateParts,
  variables: Variables,
  meta: MetaCall | null,
): RenderedTemplate {
  const missing = variablesOf(parts).filter((name) => isMissing(variables, name, meta !== null));
  if (missing.length > 0) {
    throw validationError(missing.map((name) => ({ field: `variables.${name}`, message: 'is missing' })));
  }
  // A value may stand in hundreds of places: nothing is filled in that nobody would send.
  if (filledLength(parts, variables) > MAX_FILLED) {
    throw validationError([
      { field: 'variables', message: `make the template longer than ${MAX_FILLED} characters` },
    ]);
  }
  const filled = fillParts(parts, variables);
  const problems = meta ? [] : problemsOf(filled);
  if (filled.body.trim() === '') problems.push({ field: 'variables', message: 'leave the body empty' });
  if (problems.length > 0) throw validationError(problems);
  const text = shownText(filled);
  if (meta) {
    return { type: 'INTERACTIVE', text, request: toMetaRequest(parts, variables, meta), isTemplate: true };
  }
  const { type, request } = toMessage(filled, text);
  return { type, text, request, isTemplate: false };
}

/** All texts of a filled in template together, in UTF-16 units: ten addresses and a text fit. */
const MAX_FILLED = 32_768;

function filledLength(parts: TemplateParts, variables: Variables): number {
  let length = 0;
  for (const text of textsOf(parts)) {
    length += text.length;
    for (const [, name = ''] of text.matchAll(PLACEHOLDER)) length += variables[name]?.length ?? 0;
  }
  return length;
}

/** Meta refuses an empty parameter. */
function isMissing(variables: Variables, name: string, isMeta: boolean): boolean {
  if (!Object.hasOwn(variables, name)) return true;
  return isMeta && variables[name]?.trim() === '';
}

/** Values are put in as they are: a placeholder within one is text. */
export function fill(text: string, variables: Variables): string {
  return text.replace(PLACEHOLDER, (_placeholder, name: string) => variables[name] ?? '');
}

export function fillParts(
  { header, body, footer, buttons }: TemplateParts,
  variables: Variables,
): TemplateParts {
  return {
    header: header && fillHeader(header, variables),
    body: fill(body, variables),
    footer: footer === null ? null : fill(footer, variables),
    buttons: buttons.map(
      (button) =>
        Object.fromEntries(
          Object.entries(button).map(([name, value]) => [name, fill(value, variables)]),
        ) as unknown as TemplateButton,
    ),
  };
}

function fillHeader(header: TemplateHeader, variables: Variables): TemplateHeader {
  if (header.kind === 'text') return { kind: 'text', text: fill(header.text, variables) };
  const { kind, link, id } = header;
  return {
    kind,
    link: link === null ? null : fill(link, variables),
    id: id === null ? null : fill(id, variables),
  };
}

function shownText({ header, body, footer }: TemplateParts): string {
  const head = header?.kind === 'text' ? header.text : null;
  return [head, body, footer].filter((part) => part !== null && part.trim() !== '').join('\n\n');
}

/** What a message of ours may not be, once the variables are filled in. */
function problemsOf(parts: TemplateParts): ErrorDetail[] {
  const { header, body, footer, buttons } = parts;
  const problems: ErrorDetail[] = [];
  const limit = (what: string, text: string, max: number): void => {
    if (codePointLength(text) > max)
      problems.push({ field: 'variables', message: `make the ${what} longer than ${max} characters` });
  };
  const link = header?.kind === 'text' ? null : (header?.link ?? null);
  for (const url of [link, ...buttons.map((button) => (button.kind === 'url' ? button.url : null))]) {
    if (url !== null && !isWebAddress(url))
      problems.push({ field: 'variables', message: 'make an address that is none' });
  }
  if (buttons.length === 0) {
    if (header && header.kind !== 'text') limit('caption', shownText(parts), LIMITS.caption);
    else limit('text', shownText(parts), LIMITS.text);
    return problems;
  }
  if (header?.kind === 'text') limit('header', header.text, LIMITS.header);
  limit('body', body, LIMITS.interactiveBody);
  limit('footer', footer ?? '', LIMITS.footer);
  for (const button of buttons) {
    if (button.kind === 'reply' || button.kind === 'url') limit('button', button.text, LIMITS.buttonText);
    if (button.kind === 'reply') limit('id of a button', button.id, LIMITS.buttonId);
  }
  return problems;
}

function toMessage(parts: TemplateParts, text: string): Pick<RenderedTemplate, 'type' | 'request'> {
  const { header, buttons } = parts;
  if (buttons.length > 0) {
    return { type: 'INTERACTIVE', request: { type: 'interactive', interactive: toInteractive(parts) } };
  }
  if (header && header.kind !== 'text') {
    const file = { ...toFile(header), ...(text !== '' && { caption: text }) };
    return { type: 'INTERACTIVE', request: { type: header.kind, [header.kind]: file } };
  }
  const preview = /https?:\/\//i.test(text) ? { preview_url: true } : {};
  return { type: 'TEXT', request: { type: 'text', text: { body: text, ...preview } } };
}

function toInteractive({ header, body, footer, buttons }: TemplateParts): Record<string, unknown> {
  const first = buttons[0];
  const replies = buttons.flatMap((button) => (button.kind === 'reply' ? [button] : []));
  const isList = replies.length > LIMITS.replyButtons;
  // A list has no header but a text.
  const head = header && (!isList || header.kind === 'text') ? { header: toHeader(header) } : {};
  const frame = { ...head, body: { text: body }, ...(footer !== null && { footer: { text: footer } }) };
  if (first?.kind === 'url') {
    const parameters = { display_text: first.text, url: first.url };
    return { type: 'cta_url', ...frame, action: { name: 'cta_url', parameters } };
  }
  if (isList) {
    const rows = replies.map(({ id, text }) => ({ id, title: text }));
    return {
      type: 'list',
      ...frame,
      action: { button: LIST_BUTTON, sections: [{ title: LIST_BUTTON, rows }] },
    };
  }
  return {
    type: 'button',
    ...frame,
    action: { buttons: replies.map(({ id, text }) => ({ type: 'reply', reply: { id, title: text } })) },
  };
}

/** More than three replies become a list, which opens with this. */
const LIST_BUTTON = 'Options';

function toHeader(header: TemplateHeader): Record<string, unknown> {
  return header.kind === 'text'
    ? { type: 'text', text: header.text }
    : { type: header.kind, [header.kind]: toFile(header) };
}

function toFile({ link, id }: { link: string | null; id: string | null }): Record<string, string> {
  return id !== null ? { id } : { link: link ?? '' };
}

function toMetaRequest(parts: TemplateParts, variables: Variables, meta: MetaCall): Record<string, unknown> {
  const { header, body, buttons } = parts;
  const components: object[] = [];
  if (header && header.kind !== 'text') {
    const filled = fillHeader(header, variables);
    components.push({ type: 'header', parameters: [toHeader(filled)] });
  } else if (header) pushParameters(components, 'header', header.text, variables, meta);
  pushParameters(components, 'body', body, variables, meta);
  buttons.forEach((button, index) => {
    const parameter = toButtonParameter(button, variables);
    if (parameter) {
      const sub_type = button.kind === 'reply' ? 'quick_reply' : button.kind;
      components.push({ type: 'button', sub_type, index: String(index), parameters: [parameter] });
    }
  });
  const { name, language } = meta;
  const template = { name, language: { code: language }, ...(components.length > 0 && { components }) };
  return { type: 'template', template };
}

function pushParameters(
  components: object[],
  type: 'header' | 'body',
  text: string,
  variables: Variables,
  { isNamed }: MetaCall,
): void {
  const names = inMetasOrder(namesIn(text));
  if (names.length === 0) return;
  const parameters = names.map((name) => ({
    type: 'text',
    ...(isNamed && { parameter_name: name }),
    text: variables[name] ?? '',
  }));
  components.push({ type, parameters });
}

/** Meta's positions are numbers from 1; ours may have names, which stand for them in the order of the text. */
function inMetasOrder(names: string[]): string[] {
  return names.every((name) => /^\d+$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names;
}

/** Null for a button that is the same for everybody. */
function toButtonParameter(button: TemplateButton, variables: Variables): object | null {
  switch (button.kind) {
    case 'reply':
      return { type: 'payload', payload: fill(button.id, variables) };
    case 'copy_code':
      return { type: 'coupon_code', coupon_code: fill(button.code, variables) };
    case 'url': {
      // Meta knows the beginning of the address; what it is told begins at the first variable.
      const start = button.url.search(PLACEHOLDER_ONCE);
      return start === -1 ? null : { type: 'text', text: fill(button.url.slice(start), variables) };
    }
    case 'phone':
      return null;
  }
}

const PLACEHOLDER_ONCE = new RegExp(PLACEHOLDER.source);
