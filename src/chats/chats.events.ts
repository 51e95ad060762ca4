/** A chat was created, or these people came into it: from now on they are in it. */
export class ChatCreated {
  constructor(
    readonly chatId: string,
    readonly memberIds: readonly string[],
    /** The chat's `members_seq` at the commit: 0 for a new chat (see messages.events). */
    readonly membersSeq: number,
  ) {}
}

/** Something that all members see of a chat has changed: its name, its picture, who is in it. */
export class ChatUpdated {
  constructor(
    readonly chatId: string,
    /** The chat's `members_seq` at the commit (see messages.events). */
    readonly membersSeq: number,
    readonly audienceId: string = chatId,
  ) {}
}

/** Something of a chat that concerns one member alone has changed: their settings, their role. */
export class MembershipUpdated {
  constructor(
    readonly chatId: string,
    readonly userId: string,
  ) {}
}

/** These people left a chat, were removed, or deleted their account. */
export class MembersLeft {
  constructor(
    readonly chatId: string,
    readonly userIds: readonly string[],
  ) {}
}

/** A member hid the chat's history up to a message from themselves. */
export class ChatCleared {
  constructor(
    readonly chatId: string,
    readonly userId: string,
    readonly upToSeq: number,
  ) {}
}

/** A customer's conversation with a tenant began: all of its agents are in it. */
export class ConversationOpened {
  constructor(
    readonly chatId: string,
    readonly tenantId: string,
    /** The tenant's `agents_seq` at the commit (see messages.events). */
    readonly agentsSeq: number,
  ) {}
}

/** These people became agents of a tenant: they are in all of its conversations now. */
export class AgentsJoined {
  constructor(
    readonly tenantId: string,
    readonly userIds: readonly string[],
    /** The tenant's `agents_seq` at the commit (see messages.events). */
    readonly agentsSeq: number,
  ) {}
}

/** These people are no longer agents of a tenant, and in none of its conversations. */
export class AgentsLeft {
  constructor(
    readonly tenantId: string,
    readonly userIds: readonly string[],
    readonly agentsSeq: number,
  ) {}
}
