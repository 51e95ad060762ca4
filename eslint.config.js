import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Code that may read the environment: configuration itself, programs that are started, tests and measurements. */
const READS_ENVIRONMENT = [
  'src/infra/config/**',
  'src/main.ts',
  'src/commands/**',
  'test/**',
  'bench/**',
  'docs/examples/**',
  'prisma.config.ts',
  '**/*.spec.ts',
];

const noEnvironment = {
  object: 'process',
  property: 'env',
  message: 'Configuration is read once, in src/infra/config.',
};

export default defineConfig(
  globalIgnores([
    '**/node_modules/',
    'dist/',
    '.dist-*/',
    '.data*/',
    'coverage/',
    'src/infra/database/generated/',
  ]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      ecmaVersion: 2023,
      globals: Object.fromEntries(
        [
          'process',
          'URL',
          'Buffer',
          'module',
          'setTimeout',
          'clearTimeout',
          'setInterval',
          'clearInterval',
          'fetch',
          'performance',
          'console',
        ].map((name) => [name, 'readonly']),
      ),
    },
    rules: { 'no-console': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-console': 'error',
      'no-restricted-properties': ['error', noEnvironment],
      eqeqeq: 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Leaves alone what Nest reads at run time: the types of parameters of decorated classes.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // A Nest module is an empty class, and so is a domain event without data.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowEmpty: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // Decorators see only types that are written down.
      '@typescript-eslint/no-inferrable-types': ['error', { ignoreProperties: true }],
      // Bodies are described by classes and made as literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Says the opposite of no-non-null-assertion.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // A caller may say what it knows of a payload, an answer or a row.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
  { files: READS_ENVIRONMENT, rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['test/**/*.ts', '**/*.spec.ts'],
    rules: {
      // Bodies and payloads are untyped here on purpose: they are what the wire says, and are checked against it.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
