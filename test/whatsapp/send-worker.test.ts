import { eventually } from '../support/eventually.js';
import { startApp } from '../support/app.js';
import { APP_SECRET } from './support/channel.js';
import { awaitSettled, connectTenant, makeCustomer, send, storedOf, useStage } from './support/sending.js';

const stage = useStage({ env: { ROLE: 'api' } });

it('an api process accepts and sends nothing; a worker of its own sends', async () => {
  const { app, graph } = stage;
  const tenant = await connectTenant(stage);
  const waId = await makeTakenIn(tenant);
  const first = await send(tenant, waId, { text: 'first' });
  expect(await storedOf(app, first.messageId)).toMatchObject({ dispatch: 'READY' });

  const worker = await startApp({
    shareDatabaseWith: app,
    env: { ROLE: 'worker', WHATSAPP_API_BASE: graph.url, APP_SECRET },
  });
  try {
    expect(await awaitSettled(app, first.messageId)).toMatchObject({ status: 'SENT' });
    const second = await send(tenant, waId, { text: 'second' });
    expect(await awaitSettled(app, second.messageId)).toMatchObject({ status: 'SENT' });
  } finally {
    await worker.close();
  }
});

it('two workers keep the order, and send nothing twice', async () => {
  const { app, graph } = stage;
  const tenant = await connectTenant(stage);
  const waIds = [await makeTakenIn(tenant), await makeTakenIn(tenant), await makeTakenIn(tenant)];
  const env = { ROLE: 'worker', WHATSAPP_API_BASE: graph.url, APP_SECRET };
  const workers = await Promise.all([1, 2].map(() => startApp({ shareDatabaseWith: app, env })));
  try {
    for (let index = 0; index < 15; index++)
      for (const waId of waIds) await send(tenant, waId, { text: `text ${index}` });
    for (const waId of waIds) {
      // The jobs alone wake the workers: a clock that is moved would end calls that are under way.
      await eventually(
        async () => {
          await app.sql('SELECT 1');
          return graph.sentTo(waId).length;
        },
        (count) => count >= 15,
      );
      const texts = graph.sentTo(waId).map(({ body }) => (body.text as { body: string }).body);
      expect(texts).toEqual(Array.from({ length: 15 }, (_, index) => `text ${index}`));
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
});

/** An api process takes webhooks in, and a worker applies them. */
async function makeTakenIn(tenant: Awaited<ReturnType<typeof connectTenant>>): Promise<string> {
  return makeCustomer(stage.app, tenant);
}
