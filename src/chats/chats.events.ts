/** A chat was created. */
export class ChatCreated {
  constructor(
    readonly chatId: string,
    readonly memberIds: readonly string[],
  ) {}
}
