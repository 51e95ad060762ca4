import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { findRule, type CompiledFlows, type FlowInput } from '../flows/flow-matching.js';
import type { FlowAction } from '../flows/flow-rules.js';
import type { OutgoingMessage } from '../outbound/outgoing.js';
import { TemplatesService } from '../templates/templates.service.js';

/** Whose bot it is. */
export interface BotOwner {
  id: string;
  name: string;
  /** Whether who gets no other answer is thanked. */
  autoReply: boolean;
}

/** What the bot does about a message. Nothing has happened yet. */
export interface Decision {
  /** The rule that fired. */
  ruleId: string | null;
  action: FlowAction | null;
  /** Where the answer came from; `none`: there is none. */
  source: 'rule' | 'fallback' | 'auto_reply' | 'none';
  answer: OutgoingMessage | null;
  /** The conversation's state from then on. */
  state: string | null;
  handsOff: boolean;
  /** Why the rule, or the fallback, could not do what it should; the next in line answered. */
  problems: string[];
}

/** Decides what to answer: the first rule that fires, else the fallback template, else the tenant's thanks. */
@Injectable()
export class BotDecisions {
  constructor(private readonly templates: TemplatesService) {}

  async decide(owner: BotOwner, flows: CompiledFlows | null, input: FlowInput): Promise<Decision> {
    const rule = flows && findRule(flows, input);
    const decision: Decision = {
      ruleId: rule?.id ?? null,
      action: rule?.action ?? null,
      source: 'none',
      answer: null,
      state: input.state,
      handsOff: false,
      problems: [],
    };
    if (rule && (await this.act(owner, rule.action, decision))) return { ...decision, source: 'rule' };
    const fallback = flows?.fallbackTemplateKey ?? null;
    if (fallback !== null) {
      decision.answer = await this.render(owner, fallback, undefined, {}, decision);
      if (decision.answer) return { ...decision, source: 'fallback' };
    }
    if (!owner.autoReply) return decision;
    const text = `thanks for reaching us\n- team ${owner.name}`;
    return { ...decision, source: 'auto_reply', answer: toText(text) };
  }

  /** @returns whether the rule did what it says */
  private async act(owner: BotOwner, action: FlowAction, decision: Decision): Promise<boolean> {
    switch (action.type) {
      case 'handoff':
        decision.handsOff = true;
        return true;
      case 'send_text':
        decision.answer = toText(action.text);
        break;
      case 'send_template': {
        const { templateKey, language, variables = {} } = action;
        decision.answer = await this.render(owner, templateKey, language, variables, decision);
        break;
      }
    }
    if (!decision.answer) return false;
    if (action.setState !== undefined) decision.state = action.setState;
    return true;
  }

  private async render(
    owner: BotOwner,
    key: string,
    language: string | undefined,
    variables: Record<string, unknown>,
    { problems }: Decision,
  ): Promise<OutgoingMessage | null> {
    try {
      return (await this.templates.fill(owner.id, key, language, variables)).rendered;
    } catch (error) {
      if (!(error instanceof AppError) || error.status >= 500) throw error;
      const details = (error.details ?? []).map(({ field, message }) => ` ${field} ${message}.`).join('');
      problems.push(`Template ${key}: ${error.message}${details}`);
      return null;
    }
  }
}

function toText(text: string): OutgoingMessage {
  return { type: 'TEXT', text, request: { type: 'text', text: { body: text } } };
}
