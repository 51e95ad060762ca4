import type { FlowAction, FlowMatch, FlowRule } from './flow-rules.js';
import { compilePattern } from './patterns.js';
import { foldText } from './text-folding.js';

/** What a customer sent, and where the conversation stands. */
export interface FlowInput {
  /** The text, the caption, or what stands on the button. */
  text: string | null;
  buttonId: string | null;
  state: string | null;
}

export interface CompiledFlows {
  version: number;
  rules: { id: string; action: FlowAction; holds: (message: FoldedInput) => boolean }[];
  fallbackTemplateKey: string | null;
}

interface FoldedInput {
  text: string;
  folded: string;
  buttonId: string | null;
  state: string | null;
}

type Condition = (message: FoldedInput) => boolean;

export function compileFlows(
  version: number,
  rules: readonly FlowRule[],
  fallbackTemplateKey: string | null,
): CompiledFlows {
  return {
    version,
    rules: rules.map(({ id, action, match }) => ({ id, action, holds: compileMatch(match) })),
    fallbackTemplateKey,
  };
}

/** The first rule that holds. */
export function findRule(
  flows: CompiledFlows,
  { text, buttonId, state }: FlowInput,
): { id: string; action: FlowAction } | null {
  const message = {
    text: text ?? '',
    folded: foldText(text ?? ''),
    buttonId: buttonId === null ? null : foldText(buttonId),
    state,
  };
  return flows.rules.find(({ holds }) => holds(message)) ?? null;
}

function compileMatch(match: FlowMatch): Condition {
  const conditions = [...ownConditions(match)];
  return (message) => conditions.every((holds) => holds(message));
}

function* ownConditions(match: FlowMatch): Generator<Condition> {
  // The cheapest come first.
  const { state, buttonId, equals, contains, all, any, not, regex } = match;
  if (state !== undefined) yield (message) => message.state === state;
  if (buttonId !== undefined) {
    const folded = foldText(buttonId);
    yield (message) => message.buttonId === folded;
  }
  if (equals) {
    const words = new Set(equals.map(foldText));
    yield ({ folded }) => words.has(folded);
  }
  if (contains) {
    const words = contains.map(foldText);
    yield ({ folded }) => words.some((word) => folded.includes(word));
  }
  if (all) {
    const branches = all.map(compileMatch);
    yield (message) => branches.every((holds) => holds(message));
  }
  if (any) {
    const branches = any.map(compileMatch);
    yield (message) => branches.some((holds) => holds(message));
  }
  if (not) {
    const holds = compileMatch(not);
    yield (message) => !holds(message);
  }
  if (regex !== undefined) {
    const pattern = compilePattern(regex);
    // Rules are checked before they are kept; one that an older version of the engine took never fires.
    yield ({ text }) => 'isFoundIn' in pattern && pattern.isFoundIn(text);
  }
}
