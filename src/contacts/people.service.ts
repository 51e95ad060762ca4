import { Injectable } from '@nestjs/common';
import { isId } from '../common/ids.js';
import { Cursors } from '../infra/http/cursors.js';
import { normalisePhone } from '../users/phone.js';
import { emailKeyOf, nameKeyOf } from '../users/profile.js';
import { PublicUsers } from '../users/public-users.service.js';
import type { PublicUserBody } from '../users/users.dto.js';
import type { SearchPeopleQuery, SearchResultBody } from './contacts.dto.js';
import type { PageOf } from './contacts.service.js';
import { cutPage } from './cut-page.js';
import { PeopleRepository, type PeopleQuery } from './people.repository.js';

/** Finding people: strangers by search, those one has to do with by id. */
@Injectable()
export class PeopleService {
  constructor(
    private readonly repository: PeopleRepository,
    private readonly publicUsers: PublicUsers,
    private readonly cursors: Cursors,
  ) {}

  /**
   * Who matches by the beginning of the name, or by the whole e-mail address or phone number, in the order of their
   * names. Never the caller, nor who has blocked the caller.
   */
  async search(meId: string, { query, limit, cursor }: SearchPeopleQuery): Promise<PageOf<SearchResultBody>> {
    const scope = `people:${meId}:${query}`;
    const found = await this.repository.search(
      meId,
      waysToMatch(query),
      this.after(scope, cursor),
      limit + 1,
    );
    const { items, nextCursor } = cutPage(found, limit, ({ nameKey, id }) =>
      this.cursors.encode(scope, [nameKey, id]),
    );
    const users = await this.publicUsers.view(
      meId,
      items.map((person) => person.id),
    );
    const results = items.flatMap(({ id, relationship }) => {
      const user = users.get(id);
      return user ? Object.assign({ relationship }, user) : [];
    });
    return { items: results, nextCursor };
  }

  /** Those of `ids` with whom the caller shares a chat or a contact, in the order asked for, each once. */
  async lookUp(meId: string, ids: readonly string[]): Promise<PublicUserBody[]> {
    const wanted = [...new Set(ids)].filter(isId);
    const known = new Set(await this.repository.acquaintancesAmong(meId, wanted));
    const shown = wanted.filter((id) => known.has(id));
    const users = await this.publicUsers.view(meId, shown);
    return shown.flatMap((id) => users.get(id) ?? []);
  }

  private after(scope: string, cursor: string | undefined): { nameKey: string; id: string } | null {
    if (cursor === undefined) return null;
    const [nameKey, id] = this.cursors.decode(scope, cursor);
    return { nameKey: String(nameKey), id: String(id) };
  }
}

function waysToMatch(query: string): PeopleQuery {
  // A query of nothing but accents folds to nothing, with which every name begins.
  const namePrefix = nameKeyOf(query);
  return {
    namePrefix: namePrefix === '' ? null : namePrefix,
    emailKey: emailKeyOf(query),
    phone: normalisePhone(query),
  };
}
