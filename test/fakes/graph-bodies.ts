/** Meta's error: `code` decides, not the HTTP status. */
export interface GraphRefusal {
  code: number;
  /** The status the code comes with when none is given. */
  httpStatus?: number;
  details?: string;
  headers?: Record<string, string>;
  /** Answers `error_data` as a plain string, as some endpoints do. */
  plainData?: boolean;
}

/** HTTP statuses of codes that do not come with 400. */
const STATUSES: Readonly<Record<number, number>> = {
  0: 401,
  190: 401,
  1: 500,
  2: 503,
  3: 403,
  10: 403,
  131000: 500,
  131005: 403,
  131016: 503,
  131057: 503,
  133004: 503,
  368: 403,
  131031: 403,
  130497: 403,
  132001: 404,
};

export function httpStatusOf(refusal: GraphRefusal): number {
  const { code, httpStatus } = refusal;
  return httpStatus ?? STATUSES[code] ?? (code >= 200 && code <= 299 ? 403 : 400);
}

export function bodyOf(refusal: GraphRefusal): unknown {
  const details = refusal.details ?? `What is wrong, by code ${refusal.code}`;
  return {
    error: {
      message: `(#${refusal.code}) ${details}`,
      type: 'OAuthException',
      code: refusal.code,
      error_data: refusal.plainData ? details : { messaging_product: 'whatsapp', details },
      fbtrace_id: 'AbCdEfGhIjKlMnOpQrStUv',
    },
  };
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const missing = (details: string): GraphRefusal => ({ code: 131008, details });
const invalid = (details: string): GraphRefusal => ({ code: 131009, details });

const USER_ID = /^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$/;
const MEDIA_TYPES = ['image', 'video', 'audio', 'document', 'sticker'];

/** Why Meta would refuse the body of a message, or null. */
export function findRefusal(body: unknown, hasMedia: (id: string) => boolean): GraphRefusal | null {
  if (!isFields(body)) return { code: 100, details: 'Invalid parameter' };
  if (body.messaging_product !== 'whatsapp') return { code: 100, details: 'messaging_product' };
  const [to, recipient, type] = [body.to, body.recipient, body.type];
  if (to === undefined && recipient === undefined) return missing('to or recipient');
  if (to !== undefined && typeof to !== 'string') return invalid('to');
  if (recipient !== undefined && (typeof recipient !== 'string' || !USER_ID.test(recipient)))
    return invalid('recipient');
  const tracker = body.biz_opaque_callback_data;
  if (tracker !== undefined && (typeof tracker !== 'string' || tracker.length > 512))
    return invalid('biz_opaque_callback_data');
  const context = body.context;
  if (context !== undefined && (!isFields(context) || typeof context.message_id !== 'string'))
    return invalid('context');
  if (typeof type !== 'string') return missing('type');
  const content = body[type];
  if (type === 'contacts') return Array.isArray(content) ? findInContacts(content) : missing('contacts');
  if (!isFields(content)) return missing(type);
  if (MEDIA_TYPES.includes(type)) return findInMedia(type, content, hasMedia);
  switch (type) {
    case 'text':
      return hasLength(content.body, 1, 4096) ? null : invalid('text.body');
    case 'location':
      return typeof content.latitude === 'number' && typeof content.longitude === 'number'
        ? null
        : missing('location');
    case 'reaction':
      return typeof content.message_id === 'string' && typeof content.emoji === 'string'
        ? null
        : missing('reaction');
    case 'interactive':
      return findInInteractive(content);
    case 'template':
      return findInTemplate(content);
    default:
      return { code: 131051, details: `Unsupported message type ${type}` };
  }
}

function hasLength(value: unknown, least: number, most: number): boolean {
  return typeof value === 'string' && value.length >= least && value.length <= most;
}

function findInMedia(type: string, content: Fields, hasMedia: (id: string) => boolean): GraphRefusal | null {
  const { id, link, caption } = content;
  if ((id === undefined) === (link === undefined)) return invalid(`${type}: either id or link`);
  if (id !== undefined && (typeof id !== 'string' || !hasMedia(id))) return invalid(`${type}.id`);
  if (caption === undefined) return null;
  if (type === 'audio' || type === 'sticker') return invalid(`${type}.caption`);
  return hasLength(caption, 1, 1024) ? null : invalid(`${type}.caption`);
}

function findInContacts(contacts: unknown[]): GraphRefusal | null {
  const named = contacts.every(
    (contact) =>
      isFields(contact) && isFields(contact.name) && hasLength(contact.name.formatted_name, 1, 1024),
  );
  return contacts.length > 0 && named ? null : missing('contacts.name.formatted_name');
}

/** Figures: reply buttons 3, title 20, id 256; lists 10 sections, 10 rows, row id 200, title 24, description 72, button 20. */
function findInInteractive(content: Fields): GraphRefusal | null {
  const { type, header, body, footer, action } = content;
  if (!isFields(body) || !hasLength(body.text, 1, 1024)) return invalid('interactive.body');
  if (footer !== undefined && (!isFields(footer) || !hasLength(footer.text, 1, 60)))
    return invalid('interactive.footer');
  if (header !== undefined && (!isFields(header) || typeof header.type !== 'string'))
    return invalid('interactive.header');
  if (isFields(header) && header.type === 'text' && !hasLength(header.text, 1, 60))
    return invalid('interactive.header.text');
  if (!isFields(action)) return missing('interactive.action');
  if (type === 'button') return findInButtons(action.buttons);
  if (type !== 'list') return null;
  if (!hasLength(action.button, 1, 20)) return invalid('interactive.action.button');
  return findInSections(action.sections);
}

function findInButtons(buttons: unknown): GraphRefusal | null {
  if (!Array.isArray(buttons) || buttons.length < 1 || buttons.length > 3) return invalid('buttons');
  const ids = new Set<unknown>();
  for (const button of buttons) {
    if (!isFields(button) || button.type !== 'reply' || !isFields(button.reply))
      return invalid('buttons.reply');
    const { id, title } = button.reply;
    if (!hasLength(id, 1, 256) || !hasLength(title, 1, 20) || ids.has(id)) return invalid('buttons.reply');
    ids.add(id);
  }
  return null;
}

function findInSections(sections: unknown): GraphRefusal | null {
  if (!Array.isArray(sections) || sections.length < 1 || sections.length > 10) return invalid('sections');
  const ids = new Set<unknown>();
  for (const section of sections) {
    if (!isFields(section) || !Array.isArray(section.rows)) return missing('sections.rows');
    if (sections.length > 1 && !hasLength(section.title, 1, 24)) return missing('sections.title');
    for (const row of section.rows) {
      if (!isFields(row) || !hasLength(row.id, 1, 200) || !hasLength(row.title, 1, 24))
        return invalid('sections.rows');
      if (row.description !== undefined && !hasLength(row.description, 1, 72))
        return invalid('sections.rows.description');
      if (ids.has(row.id)) return invalid('sections.rows.id');
      ids.add(row.id);
    }
  }
  return ids.size >= 1 && ids.size <= 10 ? null : invalid('sections.rows');
}

function findInTemplate(content: Fields): GraphRefusal | null {
  if (!hasLength(content.name, 1, 512)) return missing('template.name');
  const language = content.language;
  if (!isFields(language) || !hasLength(language.code, 2, 16)) return missing('template.language.code');
  const components = content.components;
  if (components === undefined) return null;
  if (!Array.isArray(components)) return invalid('template.components');
  for (const component of components) {
    if (!isFields(component) || !hasLength(component.type, 1, 32)) return invalid('template.components.type');
    if (component.type === 'button' && (!component.sub_type || component.index === undefined))
      return missing('template.components.sub_type');
    if (component.parameters !== undefined && !Array.isArray(component.parameters))
      return invalid('template.components.parameters');
  }
  return null;
}
