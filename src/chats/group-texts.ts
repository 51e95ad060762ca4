/** The sentences of SYSTEM messages, as short as a line of a chat. Names stand as their owners wrote them. */

const MAX_NAMES = 4;

export const groupTexts = {
  added: (by: string, names: readonly string[]): string => `${by} added ${listed(names)}.`,
  removed: (by: string, name: string): string => `${by} removed ${name}.`,
  left: (name: string, newOwner: string | undefined): string => `${name} left.${ownedBy(newOwner)}`,
  /** Whoever deletes their account leaves no new trace of their name. */
  deleted: (newOwner: string | undefined): string => `A member deleted their account.${ownedBy(newOwner)}`,
  madeOwner: (by: string, name: string): string => `${by} made ${name} the owner.`,
  madeAdmin: (by: string, name: string): string => `${by} made ${name} an admin.`,
  madeMember: (by: string, name: string): string => `${by} took the role of an admin from ${name}.`,
  renamed: (by: string, groupName: string): string => `${by} named the group “${groupName}”.`,
  changedPicture: (by: string): string => `${by} changed the picture of the group.`,
  removedPicture: (by: string): string => `${by} removed the picture of the group.`,
};

function ownedBy(name: string | undefined): string {
  return name === undefined ? '' : ` ${name} is the owner now.`;
}

/** “Ann”, “Ann and Ben”, “Ann, Ben and Cid”, “Ann, Ben, Cid and 7 others”. */
function listed(names: readonly string[]): string {
  const shown = names.length <= MAX_NAMES ? names.slice(0, -1) : names.slice(0, MAX_NAMES - 1);
  const others = names.length - shown.length;
  const last = others === 1 ? (names.at(-1) ?? '') : `${others.toLocaleString('en')} others`;
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}
