/**
 * The layers of the code, as docs/architecture.md draws them: imports go down only.
 * `node_modules` is not looked into.
 */
const LAYERS = [
  ['common'],
  ['infra'],
  ['users'],
  ['auth', 'media', 'contacts'],
  ['devices', 'presence'],
  ['chats'],
  ['messages'],
  ['realtime', 'notifications', 'sync', 'whatsapp'],
];

/** What a layer may not import: everything above it, and its siblings. */
const layerRules = LAYERS.flatMap((layer, height) =>
  layer.map((module) => {
    const siblings = layer.filter((other) => other !== module);
    const above = LAYERS.slice(height + 1).flat();
    const forbidden = [...siblings, ...above, 'health', 'commands'];
    return {
      name: `layers-${module}`,
      comment: `src/${module} may import only what lies below it.`,
      severity: 'error',
      from: { path: `^src/${module}/`, pathNot: '\\.spec\\.ts$' },
      to: { path: `^src/(${forbidden.join('|')})/` },
    };
  }),
);

/** The same within the WhatsApp channel. */
const WHATSAPP_LAYERS = [
  ['tenants'],
  ['graph'],
  ['templates', 'flows', 'conversations', 'hooks'],
  ['outbound'],
  ['bot'],
  ['webhook'],
];

const whatsappRules = WHATSAPP_LAYERS.flatMap((layer, height) =>
  layer.map((part) => {
    const siblings = layer.filter((other) => other !== part);
    const forbidden = [...siblings, ...WHATSAPP_LAYERS.slice(height + 1).flat()];
    return {
      name: `whatsapp-${part}`,
      comment: `src/whatsapp/${part} may import only what lies below it.`,
      severity: 'error',
      from: { path: `^src/whatsapp/${part}/`, pathNot: '\\.spec\\.ts$' },
      to: { path: forbidden.length > 0 ? `^src/whatsapp/(${forbidden.join('|')})/` : '^$' },
    };
  }),
);

/** Programs, and what only they use. */
const TOP = '^src/(app\\.module|create-app|serve|main)\\.ts$|^src/commands/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    ...whatsappRules,
    {
      name: 'no-import-of-the-top',
      comment: 'Only programs and the application itself know everything.',
      severity: 'error',
      from: { pathNot: [TOP, '^test/', '^bench/'] },
      to: { path: TOP },
    },
    {
      name: 'layers-health',
      comment: 'Health asks the infrastructure, never a feature.',
      severity: 'error',
      from: { path: '^src/health/' },
      to: { path: '^src/', pathNot: '^src/(common|infra|health)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-foreign-repository',
      comment: "A module asks another's service, never its tables.",
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '\\.repository\\.ts$', pathNot: '^src/$1/' },
    },
    {
      name: 'sql-in-repositories',
      comment: 'The generated client is for repositories; others may use its types.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['\\.repository\\.ts$', '^src/infra/database/'] },
      to: { path: '^src/infra/database/generated/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'one-place-starts-postgres',
      comment: 'Nothing but the start may know whether the database is our own.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/infra/database/', TOP] },
      to: { path: '^src/infra/database/embedded/' },
    },
    {
      name: 'no-orphans',
      comment: 'A file that nobody imports and that is not started is dead.',
      severity: 'error',
      from: { orphan: true, pathNot: ['^src/main\\.ts$', '^src/commands/', '\\.d\\.ts$', '/generated/'] },
      to: {},
    },
    {
      name: 'no-test-code-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['^test/', '^bench/', '\\.spec\\.ts$'] },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^src/infra/database/generated'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
