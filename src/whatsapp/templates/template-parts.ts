import { validationError, type ErrorDetail } from '../../common/errors.js';
import { codePointLength } from '../../infra/http/validators.js';

/** Something to tap. Replies come back with their id. */
export type TemplateButton =
  | { kind: 'reply'; id: string; text: string }
  | { kind: 'url'; text: string; url: string }
  | { kind: 'phone'; text: string; phone: string }
  | { kind: 'copy_code'; code: string };

export type TemplateHeader =
  | { kind: 'text'; text: string }
  /** One of `link` and `id` (Meta's id of an uploaded file) is set. */
  | { kind: 'image' | 'video' | 'document'; link: string | null; id: string | null };

/** The components of a template in one form, `{{variables}}` still in them. */
export interface TemplateParts {
  header: TemplateHeader | null;
  body: string;
  footer: string | null;
  buttons: TemplateButton[];
}

/** Meta's limits, in code points: §2.1 of its reference of messages, and of templates. */
export const LIMITS = {
  text: 4096,
  caption: 1024,
  interactiveBody: 1024,
  header: 60,
  footer: 60,
  replyButtons: 3,
  listRows: 10,
  buttons: 10,
  buttonText: 20,
  rowText: 24,
  metaButtonText: 25,
  buttonId: 200,
  url: 2000,
} as const;

const TYPES = ['header', 'body', 'footer', 'buttons'] as const;
const MEDIA = ['image', 'video', 'document'] as const;
type Fields = Record<string, unknown>;

/** `{{name}}`, white space around the name aside. */
export const PLACEHOLDER = /\{\{\s*([A-Za-z0-9_]{1,64})\s*\}\}/g;

/**
 * Reads the components of a template as clients write them: names of types in any case, `text` or `title` on buttons,
 * and replies also as `{ type: "reply", reply: { id, title } }`. What is not known of a component is left alone.
 *
 * @param isMeta whether Meta sends it by its own approved template, which may have buttons that messages have not
 * @throws AppError VALIDATION_FAILED naming each bad field (`components.1.text`)
 */
export function parseComponents(components: readonly unknown[], isMeta: boolean): TemplateParts {
  const reader = new ComponentsReader(isMeta);
  const parts = reader.read(components);
  if (reader.problems.length > 0) throw validationError(reader.problems);
  return parts;
}

class ComponentsReader {
  readonly problems: ErrorDetail[] = [];

  constructor(private readonly isMeta: boolean) {}

  read(components: readonly unknown[]): TemplateParts {
    const parts: TemplateParts = { header: null, body: '', footer: null, buttons: [] };
    const seen = new Set<string>();
    components.forEach((component, index) => {
      const at = `components.${index}`;
      if (!isFields(component)) {
        this.refuse(at, 'must be an object');
        return;
      }
      const type = lower(component.type);
      if (!isOneOf(TYPES, type)) this.refuse(`${at}.type`, `must be one of ${TYPES.join(', ')}`);
      else if (seen.has(type)) this.refuse(`${at}.type`, `is there twice: a template has one ${type}`);
      else {
        seen.add(type);
        if (type === 'header') parts.header = this.header(component, at);
        else if (type === 'body') {
          const max = this.isMeta ? LIMITS.interactiveBody : LIMITS.text;
          parts.body = this.text(component.text, `${at}.text`, max);
        } else if (type === 'footer') parts.footer = this.footer(component, at);
        else parts.buttons = this.buttons(component.buttons, `${at}.buttons`);
      }
    });
    if (!seen.has('body')) this.refuse('components', 'must have a body');
    const fixed = codePointLength(parts.body.replace(PLACEHOLDER, ''));
    if (parts.buttons.length > 0 && fixed > LIMITS.interactiveBody)
      this.refuse(
        'components',
        `must have a body of at most ${LIMITS.interactiveBody} characters with buttons`,
      );
    return parts;
  }

  private header(component: Fields, at: string): TemplateHeader | null {
    const format = component.format === undefined ? 'text' : lower(component.format);
    if (format === 'text') {
      const text = this.text(component.text, `${at}.text`, LIMITS.header);
      if (/[\r\n]/.test(text)) this.refuse(`${at}.text`, 'must be one line');
      return { kind: 'text', text };
    }
    if (!isOneOf(MEDIA, format)) {
      this.refuse(`${at}.format`, `must be one of text, ${MEDIA.join(', ')}`);
      return null;
    }
    const file = isFields(component[format]) ? component[format] : component;
    if (file.id !== undefined) {
      return { kind: format, link: null, id: this.text(file.id, `${at}.id`, LIMITS.buttonId) };
    }
    const link = this.url(file.link, `${at}.link`);
    return { kind: format, link, id: null };
  }

  private footer(component: Fields, at: string): string {
    const text = this.text(component.text, `${at}.text`, LIMITS.footer);
    if (this.isMeta && namesIn(text).length > 0)
      this.refuse(`${at}.text`, 'must have no variables in a template of Meta’s');
    return text;
  }

  private buttons(list: unknown, at: string): TemplateButton[] {
    if (!Array.isArray(list) || list.length === 0 || list.length > LIMITS.buttons) {
      this.refuse(at, `must be a list of 1 to ${LIMITS.buttons} buttons`);
      return [];
    }
    const buttons = list.flatMap((button: unknown, index) => {
      const read = this.button(button, `${at}.${index}`);
      return read ? [read] : [];
    });
    const ids = buttons.flatMap((button) => (button.kind === 'reply' ? [button.id] : []));
    if (new Set(ids).size < ids.length) this.refuse(at, 'must have different ids');
    const others = buttons.length - ids.length;
    if (!this.isMeta && (others > 1 || (others === 1 && ids.length > 0))) {
      this.refuse(at, 'must be replies, or one url: without metaTemplateName, a message has no others');
    }
    return buttons;
  }

  private button(button: unknown, at: string): TemplateButton | null {
    if (!isFields(button)) {
      this.refuse(at, 'must be an object');
      return null;
    }
    const type = button.type === undefined ? 'reply' : lower(button.type);
    switch (type) {
      case 'reply':
      case 'quick_reply':
        return this.reply(button, at);
      case 'url':
        return { kind: 'url', text: this.label(button, at), url: this.url(button.url, `${at}.url`) };
      case 'phone_number':
      case 'copy_code': {
        if (!this.isMeta) {
          this.refuse(`${at}.type`, 'needs metaTemplateName: messages have no such button');
          return null;
        }
        if (type === 'copy_code') {
          const code = button.code ?? button.example;
          return { kind: 'copy_code', code: this.text(code, `${at}.code`, LIMITS.buttonId) };
        }
        const phone = this.text(button.phone_number, `${at}.phone_number`, 20);
        return { kind: 'phone', text: this.label(button, at), phone };
      }
      default:
        this.refuse(`${at}.type`, 'must be one of reply, quick_reply, url, phone_number, copy_code');
        return null;
    }
  }

  private reply(button: Fields, at: string): TemplateButton {
    const fields = isFields(button.reply) ? button.reply : button;
    const text = this.label(fields, at);
    const id = fields.id ?? button.payload ?? text;
    return { kind: 'reply', id: this.text(id, `${at}.id`, LIMITS.buttonId), text };
  }

  private label(fields: Fields, at: string): string {
    const max = this.isMeta ? LIMITS.metaButtonText : LIMITS.buttonText;
    return fields.text === undefined && fields.title !== undefined
      ? this.text(fields.title, `${at}.title`, max)
      : this.text(fields.text, `${at}.text`, max);
  }

  private url(value: unknown, at: string): string {
    const url = this.text(value, at, LIMITS.url);
    // An address of one variable alone is checked when it is filled in.
    if (url !== '' && !url.startsWith('{{') && !isWebAddress(url))
      this.refuse(at, 'must be an http(s) address');
    return url;
  }

  /** An empty string for what is refused. */
  private text(value: unknown, at: string, max: number): string {
    if (typeof value !== 'string' || value.trim() === '' || codePointLength(value) > max) {
      this.refuse(at, `must be text of 1 to ${max} characters`);
      return '';
    }
    if (/\{\{|\}\}/.test(value.replace(PLACEHOLDER, ''))) {
      this.refuse(at, 'has a placeholder that is not {{name}}: a name is letters, digits and _');
    }
    return value;
  }

  private refuse(field: string, message: string): void {
    this.problems.push({ field, message });
  }
}

/** The names of the variables in a text, in order, each once. */
export function namesIn(text: string): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].map((match) => match[1] ?? ''))];
}

/** The names of all variables of a template, in order of appearance, each once. */
export function variablesOf(parts: TemplateParts): string[] {
  return [...new Set(textsOf(parts).flatMap(namesIn))];
}

/** Every text of a template in which a variable may stand. */
export function textsOf({ header, body, footer, buttons }: TemplateParts): string[] {
  const head = header?.kind === 'text' ? header.text : (header?.link ?? header?.id ?? '');
  return [head, body, footer ?? '', ...buttons.flatMap((button) => Object.values(button))];
}

export function isWebAddress(url: string): boolean {
  return /^https?:\/\/\S+$/i.test(url);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function lower(value: unknown): string | undefined {
  return typeof value === 'string' ? value.toLowerCase() : undefined;
}

function isOneOf<T extends string>(all: readonly T[], value: string | undefined): value is T {
  return (all as readonly (string | undefined)[]).includes(value);
}
