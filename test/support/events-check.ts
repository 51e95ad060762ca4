import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { EventsDocument } from '../../src/realtime/events-document.js';
import { exchange } from './http.js';
import { findOpenParts, type OpenApiDocument, type Schema } from './openapi-check.js';

/** What was wrong with events: they arrive when no test waits for them, so the test fails at its end. */
const problems: string[] = [];

afterEach(() => {
  const found = problems.splice(0);
  if (found.length > 0) throw new Error(found.join('\n\n'));
});

/** Instances of one build describe themselves alike, so a document is compiled once a worker. */
const contracts = new Map<string, EventsContract>();
const contractOfServer = new Map<string, Promise<EventsContract>>();

/** What the server at `url` says of its events. */
export function eventsOf(url: string): Promise<EventsContract> {
  let contract = contractOfServer.get(url);
  if (!contract) {
    contract = fetchContract(url);
    contractOfServer.set(url, contract);
    contract.catch(() => contractOfServer.delete(url));
  }
  return contract;
}

async function fetchContract(url: string): Promise<EventsContract> {
  const { status, bytes } = await exchange(url, undefined, { method: 'GET', path: '/docs/events' });
  if (status !== 200) throw new Error(`/docs/events answers ${status}`);
  const text = bytes.toString();
  let contract = contracts.get(text);
  if (!contract) {
    contract = new EventsContract(JSON.parse(text) as EventsDocument);
    contracts.set(text, contract);
  }
  return contract;
}

/** Checks what goes over sockets against an AsyncAPI document. */
export class EventsContract {
  private readonly ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    strictTypes: false,
    allowUnionTypes: true,
  });
  private readonly validators = new Map<string, ValidateFunction>();

  constructor(readonly document: EventsDocument) {
    addFormats.default(this.ajv);
    this.ajv.addVocabulary(['components', 'example']);
    this.ajv.addSchema({ $id: 'document', components: document.components }, 'document', false, false);
  }

  /** Notes what is wrong with an event that the server sent. */
  checkEvent(event: string, payload: unknown): void {
    if (this.document.operations[`send.${event}`]) this.check(event, payload);
    else problems.push(`the server sent ${event}, which /docs/events does not know`);
  }

  /** @throws Error when the event is not one a client may send; what is wrong with the answer is noted. */
  checkAcknowledgement(event: string, answer: unknown): void {
    if (!this.document.operations[`receive.${event}`])
      throw new Error(`${event} is not an event of /docs/events: use emitUndocumented`);
    this.check(`${event}.acknowledgement`, answer);
  }

  private check(message: string, payload: unknown): void {
    const problem = this.problemWith(message, payload);
    if (problem !== null) problems.push(`${message}: ${problem}\n${JSON.stringify(payload)}`);
  }

  /** Why a payload does not have exactly the described form, or null if it has. */
  problemWith(message: string, payload: unknown): string | null {
    const validate = this.validatorFor(message);
    return validate(payload) ? null : this.ajv.errorsText(validate.errors, { separator: '\n' });
  }

  private validatorFor(message: string): ValidateFunction {
    let validate = this.validators.get(message);
    if (!validate) {
      const { messages, schemas } = this.document.components;
      const schema = messages[message]?.payload;
      if (!schema) throw new Error(`${message} has no schema`);
      const openParts = findOpenParts(
        { components: { schemas } } as OpenApiDocument,
        schema as Schema,
      ).filter((part) => !part.endsWith('an object without properties'));
      if (openParts.length > 0)
        throw new Error(`${message} is not fully described:\n${openParts.join('\n')}`);
      const absolute = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
      validate = this.ajv.compile(JSON.parse(absolute) as object);
      this.validators.set(message, validate);
    }
    return validate;
  }
}
