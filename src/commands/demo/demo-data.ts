/** The password of everybody in the demo. */
export const DEMO_PASSWORD = 'parley-demo';

export interface DemoPerson {
  name: string;
  email: string;
  bio: string;
  /** What there is to see when one signs in as this person. */
  story: string;
}

export const DEMO_PEOPLE = {
  ada: {
    name: 'Ada Lovelace',
    email: 'ada@demo.parley.test',
    bio: 'Writing programs for machines that are not there yet.',
    story: 'chats with Grace and Alan, 2 unread messages, owns a group, a request from Katherine',
  },
  grace: {
    name: 'Grace Hopper',
    email: 'grace@demo.parley.test',
    bio: 'Ask me for a nanosecond.',
    story: 'chats with Ada and Katherine, a mention in a group she has not opened',
  },
  alan: {
    name: 'Alan Turing',
    email: 'alan@demo.parley.test',
    bio: 'Tea, chess, long runs.',
    story: 'a chat with Ada, who has not read all of it, and a group with her',
  },
  katherine: {
    name: 'Katherine Johnson',
    email: 'katherine@demo.parley.test',
    bio: 'I count everything.',
    story: 'an unread chat with Grace, waits for an answer from Ada',
  },
  hedy: {
    name: 'Hedy Lamarr',
    email: 'hedy@demo.parley.test',
    bio: 'On 88 frequencies.',
    story: 'a contact of Alan’s, no chat yet',
  },
} satisfies Record<string, DemoPerson>;

export type DemoPersonKey = keyof typeof DEMO_PEOPLE;
type Pair = readonly [DemoPersonKey, DemoPersonKey];

export interface DemoLine {
  from: DemoPersonKey;
  text: string;
  /** The line of this conversation it answers, counted from 1. */
  replyTo?: number;
  mentions?: readonly DemoPersonKey[];
  reactions?: Partial<Record<DemoPersonKey, string>>;
}

export interface DemoConversation {
  /** Who opens the chat comes first. */
  between: Pair;
  lines: readonly DemoLine[];
  /** Up to which line somebody has received and read it, where that is not what their own last line says. */
  delivered?: Partial<Record<DemoPersonKey, number>>;
  read?: Partial<Record<DemoPersonKey, number>>;
}

/** Contacts without a conversation; the first has asked. */
export const DEMO_CONTACTS: readonly Pair[] = [['alan', 'hedy']];

/** Requests that wait; the first has asked. */
export const DEMO_REQUESTS: readonly Pair[] = [['katherine', 'ada']];

export const DEMO_CONVERSATIONS: readonly DemoConversation[] = [
  {
    between: ['ada', 'grace'],
    lines: [
      { from: 'ada', text: 'Grace! Is it true that you found a moth in the machine? 🦋' },
      { from: 'grace', text: 'In relay 70, panel F. It is taped into the logbook.' },
      { from: 'grace', text: 'First actual case of a bug being found 😄' },
      { from: 'ada', text: 'I would have looked in Note G first.', replyTo: 3 },
      { from: 'grace', text: 'How are the Bernoulli numbers?' },
      {
        from: 'ada',
        text: 'All right on paper. There is one division the wrong way round, I think.',
        replyTo: 5,
      },
      { from: 'grace', text: 'It is easier to ask forgiveness than to get permission. Ship it.', replyTo: 6 },
      { from: 'ada', text: 'Ship it on what?\nCharles is still filing cogs.' },
      { from: 'grace', text: '¡Paciencia! 明日は動く。' },
    ],
    read: { ada: 9, grace: 9 },
  },
  {
    between: ['alan', 'ada'],
    lines: [
      { from: 'alan', text: 'May I ask you something, and would you know if it was me who asked?' },
      { from: 'ada', text: 'You may. And no, that is rather the point, is it not?', replyTo: 1 },
      { from: 'alan', text: 'Exactly. Have you read my paper?' },
      { from: 'alan', text: 'The objection in section 6 is named after you.' },
    ],
    delivered: { ada: 3 },
  },
  {
    between: ['grace', 'katherine'],
    lines: [
      { from: 'grace', text: 'Could you check my numbers before they go up? 🚀' },
      { from: 'grace', text: 'No hurry. They go up on Friday.' },
    ],
    delivered: { katherine: 2 },
  },
];

export interface DemoGroup {
  name: string;
  owner: DemoPersonKey;
  /** Contacts of the owner. */
  others: readonly DemoPersonKey[];
  lines: readonly DemoLine[];
}

export const DEMO_GROUPS: readonly DemoGroup[] = [
  {
    name: 'Moth hunters 🦋',
    owner: 'ada',
    others: ['grace', 'alan'],
    lines: [
      { from: 'grace', text: 'The machine has stopped again.', reactions: { ada: '😱', alan: '😱' } },
      { from: 'alan', text: 'Will it halt for good? I could not say in general.', replyTo: 1 },
      { from: 'ada', text: '@Grace, would you look under panel F?', mentions: ['grace'] },
      { from: 'alan', text: '蛾がまた来た？', reactions: { ada: '👍🏽' } },
    ],
  },
];
