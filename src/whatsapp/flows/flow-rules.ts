import { validationError, type ErrorDetail } from '../../common/errors.js';
import { codePointLength } from '../../infra/http/validators.js';
import { compilePattern, MAX_PATTERN_SIZE } from './patterns.js';

/** What a message must be for a rule to fire: all that is given must hold; nothing given always holds. */
export interface FlowMatch {
  /** One of these is part of the text. */
  contains?: string[];
  /** One of these is the text. */
  equals?: string[];
  /** Is found in the text. */
  regex?: string;
  /** The conversation's state; null for none. */
  state?: string | null;
  /** The id of the button that was tapped. */
  buttonId?: string;
  all?: FlowMatch[];
  any?: FlowMatch[];
  not?: FlowMatch;
}

export type FlowAction =
  | {
      type: 'send_template';
      templateKey: string;
      variables?: Record<string, unknown>;
      language?: string;
      setState?: string | null;
    }
  | { type: 'send_text'; text: string; setState?: string | null }
  | { type: 'handoff' };

export interface FlowRule {
  id: string;
  match: FlowMatch;
  action: FlowAction;
}

export const MAX_RULES = 200;
const MAX_ID = 100;
const MAX_STATE = 100;
const MAX_KEY = 100;
const MAX_TEXT = 4096;
const MAX_WORD = 200;
const MAX_WORDS = 100;
const MAX_DEPTH = 5;
const MAX_BRANCHES = 50;
/** Instructions of all regexes of a tenant together: what a message can cost is this times its length. */
const MAX_TOTAL_SIZE = 5_000;
const MAX_PROBLEMS = 30;
/** Meta's for the id of a button. */
const MAX_BUTTON_ID = 256;

type Fields = Record<string, unknown>;
const ACTIONS = ['send_template', 'send_text', 'handoff'] as const;
const OWN_FIELDS = {
  send_template: ['type', 'templateKey', 'variables', 'language', 'setState'],
  send_text: ['type', 'text', 'setState'],
  handoff: ['type'],
} as const;
const MATCH_FIELDS = ['contains', 'equals', 'regex', 'state', 'buttonId', 'all', 'any', 'not'];

/**
 * Checks the rules that a client gave.
 *
 * @throws AppError VALIDATION_FAILED naming each bad field (`flows.3.match.any.0.regex`)
 */
export function parseRules(flows: readonly unknown[]): FlowRule[] {
  const reader = new RulesReader();
  reader.read(flows);
  if (reader.problems.length > 0) throw validationError(reader.problems);
  return flows as FlowRule[];
}

class RulesReader {
  readonly problems: ErrorDetail[] = [];
  private totalSize = 0;

  read(flows: readonly unknown[]): void {
    const ids = new Set<unknown>();
    flows.forEach((rule, index) => {
      const at = `flows.${index}`;
      if (!this.isObject(rule, at)) return;
      this.declared(rule, ['id', 'match', 'action'], at);
      this.text(rule.id, `${at}.id`, MAX_ID);
      if (ids.has(rule.id)) this.refuse(`${at}.id`, 'is there twice');
      ids.add(rule.id);
      this.match(rule.match, `${at}.match`, 1);
      this.action(rule.action, `${at}.action`);
    });
    if (this.totalSize > MAX_TOTAL_SIZE)
      this.refuse('flows', 'have regexes that are too large together: use fewer or simpler ones');
  }

  private match(match: unknown, at: string, depth: number): void {
    if (!this.isObject(match, at)) return;
    if (depth > MAX_DEPTH) {
      this.refuse(at, `must not be nested deeper than ${MAX_DEPTH} levels`);
      return;
    }
    this.declared(match, MATCH_FIELDS, at);
    for (const field of ['contains', 'equals'] as const) {
      if (match[field] !== undefined) this.words(match[field], `${at}.${field}`);
    }
    if (match.regex !== undefined) this.regex(match.regex, `${at}.regex`);
    if (match.state !== undefined && match.state !== null) this.text(match.state, `${at}.state`, MAX_STATE);
    if (match.buttonId !== undefined) this.text(match.buttonId, `${at}.buttonId`, MAX_BUTTON_ID);
    for (const field of ['all', 'any'] as const) {
      const branches = match[field];
      if (branches === undefined) continue;
      if (!Array.isArray(branches) || branches.length === 0 || branches.length > MAX_BRANCHES) {
        this.refuse(`${at}.${field}`, `must be a list of 1 to ${MAX_BRANCHES} matches`);
        continue;
      }
      branches.forEach((branch: unknown, index) => {
        this.match(branch, `${at}.${field}.${index}`, depth + 1);
      });
    }
    if (match.not !== undefined) this.match(match.not, `${at}.not`, depth + 1);
  }

  private words(words: unknown, at: string): void {
    if (!Array.isArray(words) || words.length === 0 || words.length > MAX_WORDS) {
      this.refuse(at, `must be a list of 1 to ${MAX_WORDS} texts`);
      return;
    }
    words.forEach((word: unknown, index) => {
      this.text(word, `${at}.${index}`, MAX_WORD);
    });
  }

  private regex(regex: unknown, at: string): void {
    if (!this.text(regex, at, MAX_PATTERN_SIZE)) return;
    // To compile what is refused anyway costs as much as to compile what is not.
    if (this.totalSize > MAX_TOTAL_SIZE || this.problems.length >= MAX_PROBLEMS) return;
    const compiled = compilePattern(regex);
    if ('problem' in compiled) this.refuse(at, compiled.problem);
    else this.totalSize += compiled.size;
  }

  private action(action: unknown, at: string): void {
    if (!this.isObject(action, at)) return;
    const type = ACTIONS.find((known) => known === action.type);
    if (type === undefined) {
      this.refuse(`${at}.type`, `must be one of ${ACTIONS.join(', ')}`);
      return;
    }
    this.declared(action, OWN_FIELDS[type], at);
    if (type === 'send_text') this.text(action.text, `${at}.text`, MAX_TEXT);
    if (type === 'send_template') {
      this.text(action.templateKey, `${at}.templateKey`, MAX_KEY);
      if (action.language !== undefined) this.text(action.language, `${at}.language`, 10);
      if (action.variables !== undefined) this.variables(action.variables, `${at}.variables`);
    }
    if (action.setState !== undefined && action.setState !== null)
      this.text(action.setState, `${at}.setState`, MAX_STATE);
  }

  private variables(variables: unknown, at: string): void {
    if (!this.isObject(variables, at)) return;
    for (const [name, value] of Object.entries(variables)) {
      const isText = typeof value === 'string' && codePointLength(value) <= MAX_TEXT;
      if (!isText && typeof value !== 'boolean' && !(typeof value === 'number' && Number.isFinite(value)))
        this.refuse(
          `${at}.${name}`,
          `must be a text of at most ${MAX_TEXT} characters, a number or a boolean`,
        );
    }
  }

  private isObject(value: unknown, at: string): value is Fields {
    const is = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!is) this.refuse(at, 'must be an object');
    return is;
  }

  private declared(fields: Fields, known: readonly string[], at: string): void {
    for (const name of Object.keys(fields)) {
      if (!known.includes(name)) this.refuse(`${at}.${name}`, 'is not a field of this request');
    }
  }

  private text(value: unknown, at: string, max: number): value is string {
    const is = typeof value === 'string' && value.trim() !== '' && codePointLength(value) <= max;
    if (!is) this.refuse(at, `must be text of 1 to ${max} characters`);
    return is;
  }

  private refuse(field: string, message: string): void {
    // A set of rules with more wrong with it is not a mistake, and its answer must not outgrow it.
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ field, message });
  }
}
