import { PrismaService } from '../../src/infra/database/prisma.service.js';
import { useApp } from '../support/app.js';

const app = useApp();

it('a transaction that meets a deadlock in its own SQL is run again', async () => {
  const people = [await app.registerUser(), await app.registerUser()];
  const [a, b] = people.map((person) => person.id) as [string, string];
  const prisma = app.running.nest.get(PrismaService);
  let attempts = 0;
  let bothLocked: () => void;
  const locked = new Promise<void>((resolve) => {
    let count = 0;
    bothLocked = () => {
      if (++count === 2) resolve();
    };
  });
  const crossing = (first: string, second: string): Promise<void> =>
    prisma.inTransaction(async (tx) => {
      attempts++;
      await tx.$queryRaw`SELECT 1 FROM app_user WHERE id = ${first}::uuid FOR UPDATE`;
      bothLocked();
      await locked;
      await tx.$queryRaw`SELECT 1 FROM app_user WHERE id = ${second}::uuid FOR UPDATE`;
    });
  await Promise.all([crossing(a, b), crossing(b, a)]);
  expect(attempts).toBe(3);
  expect((await app.http().get('/metrics')).body).toContain('parley_transaction_retries_total 1');
});
