/**
 * Somebody changed their account. `profileChanged`: what others see of it (name, picture, bio) is different;
 * `settingsChanged`: read receipts or the visibility of their presence are.
 */
export class UserUpdated {
  constructor(
    readonly userId: string,
    readonly settingsChanged: boolean,
    readonly profileChanged: boolean,
  ) {}
}

/** An account is gone, and with it what was registered with `AccountRemoval`. */
export class UserDeleted {
  constructor(readonly userId: string) {}
}
