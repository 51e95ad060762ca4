import { EventBus } from '../../../src/infra/events/event-bus.js';
import type { ClientServer } from '../../../src/realtime/client-socket.js';
import { RealtimeServer } from '../../../src/realtime/realtime.server.js';
import type { TestApp, TestPerson } from '../../support/app.js';
import type { TestSocket } from '../../support/socket.js';
import { hire, operator, registerTenant, type TestTenant } from './channel.js';

/** A tenant with these agents. */
export async function makeShop(
  app: TestApp,
  agents: readonly TestPerson[],
  name = 'Shop',
): Promise<TestTenant> {
  const tenant = await registerTenant(app, { name });
  for (const agent of agents) await hire(app, tenant, agent);
  return tenant;
}

/** Once this is answered, nothing that is committed later reaches them. */
export async function fire(
  app: TestApp,
  tenant: Pick<TestTenant, 'id'>,
  person: Pick<TestPerson, 'id'>,
): Promise<void> {
  const answer = await operator(app).delete(`/api/tenants/${tenant.id}/agents/${person.id}`);
  if (answer.status >= 300) throw new Error(`not fired: ${JSON.stringify(answer.body)}`);
}

/** Publishes a domain event as the module that owns it does. */
export function publish(app: TestApp, event: object): void {
  app.running.nest.get(EventBus, { strict: false }).publish(event);
}

export function serverOf(app: TestApp): ClientServer {
  return Reflect.get(app.running.nest.get(RealtimeServer, { strict: false }), 'io') as ClientServer;
}

/** The rooms that a socket is in on its instance, but for its own. */
export function roomsOf(app: TestApp, socket: TestSocket): string[] {
  const { id = '' } = socket.io;
  return [...(serverOf(app).of('/').sockets.get(id)?.rooms ?? [])].filter((room) => room !== id).sort();
}
