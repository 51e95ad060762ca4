/**
 * Something of a tenant was changed and committed in this process: its name, token, number, status or settings, or it
 * was deleted. Says nothing of what: whoever cares asks again.
 */
export class TenantChanged {
  constructor(readonly tenantId: string) {}
}
