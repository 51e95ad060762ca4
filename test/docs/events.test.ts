import { Parser } from '@asyncapi/parser';
import { CLIENT_EVENTS } from '../../src/realtime/client-events.js';
import { SERVER_EVENTS } from '../../src/realtime/server-events.js';
import { useApp } from '../support/app.js';
import { EventsContract, eventsOf } from '../support/events-check.js';
import { makePair } from '../support/people.js';

const app = useApp();
const ask = (accept?: string) =>
  app.http().get('/docs/events', { undocumented: true, ...(accept && { headers: { Accept: accept } }) });

let contract: EventsContract;
beforeAll(async () => {
  contract = await eventsOf(app.url);
});

describe('/docs/events', () => {
  it('is a valid AsyncAPI 3 document', async () => {
    const { bytes, headers } = await ask('application/json');
    expect(headers['content-type']).toMatch(/^application\/json/);
    const { document, diagnostics } = await new Parser().parse(bytes.toString());
    const errorsAndWarnings: number[] = [0, 1];
    expect(diagnostics.filter(({ severity }) => errorsAndWarnings.includes(severity))).toEqual([]);
    expect(document?.version()).toBe('3.0.0');
  });

  it('describes every event of the maps, and no other', () => {
    const { operations } = contract.document;
    expect(Object.keys(operations).sort()).toEqual(
      [
        ...Object.keys(SERVER_EVENTS).map((name) => `send.${name}`),
        ...Object.keys(CLIENT_EVENTS).map((name) => `receive.${name}`),
      ].sort(),
    );
    for (const { summary, messages, reply, action } of Object.values(operations)) {
      expect(summary).not.toBe('');
      expect(messages).toHaveLength(1);
      expect(reply?.messages.length).toBe(action === 'receive' ? 1 : undefined);
    }
  });

  it('closes every schema against other fields', () => {
    const { schemas, messages } = contract.document.components;
    const open = Object.entries(schemas).filter(
      ([, schema]) => schema.type === 'object' && schema.additionalProperties !== false,
    );
    expect(open).toEqual([]);
    // Compiles every one, and throws at what says too little.
    for (const name of Object.keys(messages)) contract.problemWith(name, {});
  });

  it('is a page for browsers, without a script and without anything from elsewhere', async () => {
    const { body, headers } = await ask('text/html,application/xhtml+xml,*/*;q=0.8');
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(headers.vary).toMatch(/Accept/);
    for (const name of [...Object.keys(SERVER_EVENTS), ...Object.keys(CLIENT_EVENTS)]) {
      expect(body).toContain(`id="${name}"`);
    }
    expect(body).not.toMatch(/<script|src=|url\(|href="(?!#|\/docs")/);
  });

  it('is JSON for who asks for anything', async () => {
    for (const accept of [undefined, '*/*']) {
      expect((await ask(accept)).headers['content-type']).toMatch(/^application\/json/);
    }
  });
});

describe('the check of every event in every test', () => {
  it('accepts what the server sends', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const socket = await app.connect(ben);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    const payload = await socket.next('new-message');
    expect(contract.problemWith('new-message', payload)).toBeNull();
    expect(contract.problemWith('new-message', { ...payload, more: 1 })).toMatch(/additional properties/);
    const { chatId: _, ...less } = payload as { chatId: string };
    expect(contract.problemWith('new-message', less)).toMatch(/required property 'chatId'/);
  });

  it('finds an acknowledgement that is described otherwise', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const ack = await socket.emit('mark-read', { chatId, upToSeq: 0 });
    const altered = structuredClone(contract.document);
    const properties = altered.components.schemas.MarksBody!.properties as Record<string, unknown>;
    delete properties.readSeq;
    expect(contract.problemWith('mark-read.acknowledgement', ack)).toBeNull();
    expect(() => new EventsContract(altered).problemWith('mark-read.acknowledgement', ack)).toThrow(
      /readSeq/,
    );
  });

  it('refuses to send what is not described, unless a test says so', async () => {
    const socket = await app.connect(await app.registerUser());
    await expect(socket.emit('no-such-event', {})).rejects.toThrow('not an event of /docs/events');
    expect(await socket.emitUndocumented('no-such-event', {})).toMatchObject({ code: 'UNKNOWN_EVENT' });
  });
});
