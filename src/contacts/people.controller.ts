import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { PublicUserBody } from '../users/users.dto.js';
import { LookUpUsersQuery } from './contacts.dto.js';
import { PeopleService } from './people.service.js';

@ApiTags('Contacts')
@ApiBearerAuth()
@Controller('api/users')
export class PeopleController {
  constructor(private readonly people: PeopleService) {}

  @Get()
  @ApiOperation({
    summary: 'People by id',
    description:
      'Those of the named people with whom the caller shares a chat, a contact or a request, and the caller, ' +
      'in the order asked for. All others are left out.',
  })
  @ApiSuccess({ description: 'the people', type: PublicUserBody, isArray: true })
  async lookUp(
    @CurrentUser() me: Principal,
    @Query() { ids }: LookUpUsersQuery,
  ): Promise<Success<PublicUserBody[]>> {
    return success('The people you know among these.', await this.people.lookUp(me.userId, ids));
  }
}
