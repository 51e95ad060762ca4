import { Controller, Delete, Get, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { SessionBody } from './auth.dto.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('Auth')
@ApiBearerAuth()
@Controller('api/auth/sessions')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Get()
  @ApiOperation({ summary: 'Where the account is signed in', description: 'The last used first.' })
  @ApiSuccess({ description: 'The sessions.', type: SessionBody, isArray: true })
  async list(@CurrentUser() me: Principal): Promise<Success<SessionBody[]>> {
    return success('Your sessions.', await this.sessions.list(me));
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Sign out one session' })
  @ApiParam({ name: 'id', description: 'the id of the session' })
  @ApiSuccess({ description: 'The session has ended.' })
  @ApiFailures('SESSION_NOT_FOUND')
  async revoke(@CurrentUser() me: Principal, @Param('id') id: string): Promise<Success<null>> {
    await this.sessions.signOutElsewhere(me.userId, id);
    return success('The session is signed out.', null);
  }
}
