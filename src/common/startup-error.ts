/**
 * The server cannot start, and a person can mend it. `message` is one line that says what to do;
 * the entry point prints it without a stack and exits with code 1.
 */
export class StartupError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartupError';
  }
}
