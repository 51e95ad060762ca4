/** Who asked whom; the roles stay the same for the life of a contact. */
abstract class ContactEvent {
  constructor(
    readonly contactId: string,
    readonly requesterId: string,
    readonly addresseeId: string,
  ) {}
}

/** The requester asked the addressee to become contacts. */
export class ContactRequested extends ContactEvent {}

/** The addressee accepted, or asked back, which is the same. */
export class ContactAccepted extends ContactEvent {}

/** The addressee declined; the request is gone. */
export class ContactRejected extends ContactEvent {}

/** One side ended the contact, or the requester withdrew the request. */
export class ContactRemoved extends ContactEvent {
  constructor(
    contactId: string,
    requesterId: string,
    addresseeId: string,
    readonly removedById: string,
  ) {
    super(contactId, requesterId, addresseeId);
  }
}

/** Published when a block begins, not when it is asked for again. */
export class UserBlocked {
  constructor(
    readonly blockerId: string,
    readonly blockedId: string,
  ) {}
}

/** The blocker took the block back; the other may still have one of their own. */
export class UserUnblocked {
  constructor(
    readonly blockerId: string,
    readonly blockedId: string,
  ) {}
}

/** A person has been shown the requests made to them: none of them is new any more. */
export class ContactRequestsViewed {
  constructor(readonly userId: string) {}
}
