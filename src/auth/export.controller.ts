import { Controller, Get, Res, type OnModuleInit } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../infra/http/decorators.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { AccountExport, jsonFile, type ExportContext, type ExportFile } from '../users/account-export.js';
import { UsersService } from '../users/users.service.js';
import { writeArchive } from './export-archive.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('Auth')
@ApiBearerAuth()
@Controller('api/auth')
export class ExportController implements OnModuleInit {
  constructor(
    private readonly accountExport: AccountExport,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
  ) {}

  onModuleInit(): void {
    this.accountExport.register((context) => this.files(context));
  }

  @Get('export')
  @RateLimit('exports')
  @ApiOperation({
    summary: 'Everything held on the account, as a ZIP',
    description:
      '`profile.json` with the settings, `sessions.json`, `devices.json`, `contacts.json` (requests included), `blocked.json`, `chats.json` with one’s settings of each, `chats/<id>/messages.json` with all messages that the caller may see, oldest first, and `media/`: one’s own uploads and the files of those messages. The JSON is what the REST routes answer; the addresses in it die as theirs do. At most five an hour.',
  })
  @ApiResponse({
    status: 200,
    description: 'The archive, streamed.',
    content: { 'application/zip': { schema: { type: 'string', format: 'binary' } } },
  })
  async export(@CurrentUser() me: Principal, @Res() response: Response): Promise<void> {
    response.setHeader('Content-Type', 'application/zip');
    response.setHeader('Content-Disposition', 'attachment; filename="parley-export.zip"');
    await writeArchive(this.accountExport.files(me.userId, me.sessionId), response);
  }

  private *files({ userId, sessionId }: ExportContext): Generator<ExportFile> {
    yield jsonFile('profile.json', async () => this.users.toBody(await this.users.getProfile(userId)));
    yield jsonFile('sessions.json', () => this.sessions.list({ userId, sessionId, deviceId: null }));
  }
}
