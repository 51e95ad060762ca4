/** Socket.IO rooms. A socket is in its user's, its session's and all its chats' rooms before `connect` fires. */
export const rooms = {
  user: (userId: string): string => `user:${userId}`,
  session: (sessionId: string): string => `session:${sessionId}`,
  /** Of a chat's members or, for all conversations of a tenant, of its agents. */
  chat: (audienceId: string): string => `chat:${audienceId}`,
  /** Sockets that have the chat open on screen: typing goes there. Whoever leaves the audience leaves it too. */
  open: (chatId: string, audienceId: string): string =>
    audienceId === chatId ? `open:${chatId}` : `open:${audienceId}:${chatId}`,
};
