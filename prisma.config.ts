import { defineConfig } from 'prisma/config';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  // Only Prisma's own tools read it; the server hands its URL to the client itself.
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
