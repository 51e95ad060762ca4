import { Body, Controller, Delete, Get, Ip, Put, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { Multipart, ReceivedFile } from '../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { UserBody } from '../users/users.dto.js';
import { UsersService } from '../users/users.service.js';
import { AccountsService } from './accounts.service.js';
import { DeleteProfileRequest, UpdateProfileRequest } from './auth.dto.js';
import { RefreshCookie } from './refresh-cookie.js';

@ApiTags('Auth')
@ApiBearerAuth()
@Controller('api/auth')
export class AccountController {
  constructor(
    private readonly users: UsersService,
    private readonly accounts: AccountsService,
    private readonly cookie: RefreshCookie,
  ) {}

  @Get('profile')
  @ApiOperation({ summary: 'The account as its owner sees it' })
  @ApiSuccess({ description: 'The account.', type: UserBody })
  async profile(@CurrentUser() me: Principal): Promise<Success<UserBody>> {
    return success('Your profile.', this.users.toBody(await this.users.getProfile(me.userId)));
  }

  @Put('update-profile')
  @Multipart({ file: 'profilePic', json: ['settings'] })
  @ApiOperation({
    summary: 'Change the account',
    description:
      'Fields that are absent stay as they are; null clears `phone`, `bio`, `gender` and `dateOfBirth`, in a form an empty field does. A new picture replaces the old one.',
  })
  @ApiSuccess({ description: 'The changed account.', type: UserBody })
  @ApiFailures('EMAIL_TAKEN', 'UNPROCESSABLE')
  async update(
    @CurrentUser() me: Principal,
    @Body() body: UpdateProfileRequest,
    @ReceivedFile() picturePath: string | undefined,
  ): Promise<Success<UserBody>> {
    const profile = await this.users.update(me.userId, body, picturePath);
    return success('Your profile is changed.', this.users.toBody(profile));
  }

  @Delete('delete-profile')
  @ApiOperation({
    summary: 'Delete the account',
    description: 'Messages stay in the chats of others, without a sender. This cannot be undone.',
  })
  @ApiSuccess({ description: 'The account is gone.' })
  @ApiFailures('INVALID_CREDENTIALS', 'RATE_LIMITED')
  async delete(
    @CurrentUser() me: Principal,
    @Body() body: DeleteProfileRequest,
    @Ip() ip: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<null>> {
    await this.accounts.delete(me, body.password, ip);
    this.cookie.clear(response);
    return success('Your account is deleted.', null);
  }
}
