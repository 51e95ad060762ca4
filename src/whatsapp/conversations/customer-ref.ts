/** How a customer is named by Meta or by who writes to them: any part may be missing, but not all. */
export interface CustomerRef {
  /** Meta's id of the phone number: its digits. */
  waId?: string | null;
  /** The id that belongs to the business alone, such as `US.13491208655302741918`. */
  userId?: string | null;
  parentUserId?: string | null;
  /** As somebody wrote it; its digits are what counts. */
  phone?: string | null;
  name?: string | null;
  username?: string | null;
  /** Of a group, instead of all of the above: then the group is the customer. */
  groupId?: string | null;
}

/** The conversation with one customer. */
export interface OpenConversation {
  chatId: string;
  tenantId: string;
  customerId: string;
  waId: string | null;
  userId: string | null;
  phone: string | null;
  name: string | null;
  windowExpiresAt: Date | null;
  botPaused: boolean;
  /** The chat with which it goes on, if it was merged. */
  mergedIntoId: string | null;
}
