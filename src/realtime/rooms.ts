/** Socket.IO rooms. A socket is in its user's, its session's and all its chats' rooms before `connect` fires. */
export const rooms = {
  user: (userId: string): string => `user:${userId}`,
  session: (sessionId: string): string => `session:${sessionId}`,
  chat: (chatId: string): string => `chat:${chatId}`,
  /** Sockets that have the chat open on screen: typing goes there. */
  open: (chatId: string): string => `open:${chatId}`,
};
