/**
 * What a code of Meta's asks for. Two questions decide it: can the send succeed later, and is it safe to repeat.
 *
 * - `APP_LIMIT`, `NUMBER_LIMIT`, `PAIR_LIMIT`: too much at once for the app or business account, for the number, for this
 *   customer. Nothing was sent: repeat it after a wait.
 * - `TRY_LATER`: what it needs is not there yet. Nothing was sent: repeat it after a longer wait.
 * - `OUTCOME_UNKNOWN`: it may have been sent. Never repeated by itself.
 * - `TOKEN_DEAD`, `NO_PERMISSION`: nothing can be sent until the tenant connects again; the message waits.
 * - `RESTRICTED`: Meta has stopped the number or the account; this message has failed, the others wait.
 * - `OPTED_OUT`: the customer wants no marketing.
 * - `TEMPLATE_STOPPED`: the template is paused, disabled or broken.
 * - `UNPAID`: Meta wants to be paid first.
 * - `REFUSED`: this message can never be sent.
 */
export type ErrorClass =
  | 'APP_LIMIT'
  | 'NUMBER_LIMIT'
  | 'PAIR_LIMIT'
  | 'TRY_LATER'
  | 'OUTCOME_UNKNOWN'
  | 'TOKEN_DEAD'
  | 'NO_PERMISSION'
  | 'RESTRICTED'
  | 'OPTED_OUT'
  | 'TEMPLATE_STOPPED'
  | 'UNPAID'
  | 'REFUSED';

/** From the tables of Meta's documentation and of the SDKs pywa and meta-whatsapp-rs (2026-05). */
const CODES: Readonly<Record<ErrorClass, readonly number[]>> = {
  APP_LIMIT: [4, 80007, 613],
  NUMBER_LIMIT: [130429],
  PAIR_LIMIT: [131056],
  TRY_LATER: [134101, 131053],
  OUTCOME_UNKNOWN: [131000, 1, 2, 131016, 131057, 133004],
  TOKEN_DEAD: [0, 190],
  NO_PERMISSION: [131005, 3, 10],
  RESTRICTED: [368, 131031, 130497, 131048],
  OPTED_OUT: [131050],
  TEMPLATE_STOPPED: [132005, 132007, 132015, 132016, 132068, 132069],
  UNPAID: [131042, 131044],
  REFUSED: [
    33, 100, 131008, 131009, 131021, 131026, 131030, 131037, 131045, 131047, 131049, 131051, 131052, 131062,
    131063, 131064, 130472, 132000, 132001, 132008, 132012, 132018, 133010, 133016, 135000, 137000,
  ],
};

const CLASS_OF = new Map(
  Object.entries(CODES).flatMap(([name, codes]) => codes.map((code) => [code, name as ErrorClass] as const)),
);

/**
 * What an error of Meta's asks for, whether it came as the answer to a send or with a `failed` status. The code decides;
 * the HTTP status only where there is none that is known.
 *
 * @param code Meta's `error.code`, or null when the answer had none
 * @param httpStatus of the answer, or null for a status of a webhook
 */
export function classify(code: number | null, httpStatus: number | null): ErrorClass {
  const known = code === null ? undefined : CLASS_OF.get(code);
  if (known) return known;
  if (code !== null && code >= 200 && code <= 299) return 'NO_PERMISSION';
  if (httpStatus === null) return 'REFUSED';
  if (httpStatus === 429) return 'APP_LIMIT';
  if (httpStatus === 401) return 'TOKEN_DEAD';
  // What is neither an error of the Graph API nor a success was answered by something on the way.
  return httpStatus >= 400 && httpStatus < 500 ? 'REFUSED' : 'OUTCOME_UNKNOWN';
}

/** Classes after which the same message may be sent again by itself: Meta has done nothing with it. */
export function isRepeatable(errorClass: ErrorClass): boolean {
  return (
    errorClass === 'APP_LIMIT' ||
    errorClass === 'NUMBER_LIMIT' ||
    errorClass === 'PAIR_LIMIT' ||
    errorClass === 'TRY_LATER'
  );
}
