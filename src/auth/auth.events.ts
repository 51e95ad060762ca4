/** The devices on which somebody is signed in are others than before, or have another name. */
export class SignInsChanged {
  constructor(readonly userId: string) {}
}
