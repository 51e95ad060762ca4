import { timingSafeEqual, createHash } from 'node:crypto';
import { Controller, Get, HttpCode, HttpStatus, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { Public } from '../../infra/http/decorators.js';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { WebhookEdge } from './webhook-edge.js';

/** Where Meta tells what happens on WhatsApp. */
@ApiTags('WhatsApp webhook')
@Public()
@Controller(['whatsapp/webhook', 'webhook'])
export class WebhookController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly edge: WebhookEdge,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'The handshake with which Meta sets the webhook up',
    description: 'Answers the challenge, without an envelope.',
  })
  @ApiQuery({ name: 'hub.mode', required: false, schema: { type: 'string' }, description: '`subscribe`' })
  @ApiQuery({
    name: 'hub.verify_token',
    required: false,
    schema: { type: 'string' },
    description: '`VERIFY_TOKEN`',
  })
  @ApiQuery({ name: 'hub.challenge', required: false, schema: { type: 'string' } })
  @ApiOkResponse({
    description: 'The value of `hub.challenge`.',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  @ApiFailures('VERIFY_TOKEN_WRONG')
  verify(@Query() query: Record<string, unknown>, @Res({ passthrough: true }) response: Response): string {
    const { verifyToken } = this.config.whatsapp;
    const token = query['hub.verify_token'];
    const challenge = query['hub.challenge'];
    const isOurs =
      query['hub.mode'] === 'subscribe' &&
      verifyToken !== undefined &&
      typeof token === 'string' &&
      timingSafeEqual(digest(token), digest(verifyToken));
    if (!isOurs || typeof challenge !== 'string') throw new AppError('VERIFY_TOKEN_WRONG');
    response.type('text/plain');
    return challenge;
  }

  /** Called ahead of guards, pipes and body parsers: see `WebhookFront`. */
  @Post()
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Takes a webhook of Meta in',
    description:
      'At most 3 MB; the signature is that of the raw bytes, with one of the secrets in `APP_SECRET` ' +
      '(without any, everything is let in outside production). The body is Meta’s, or the same wrapped in ' +
      '`{ "metaData": … }`. 200 means that it is committed; everything in it is applied on its own afterwards, and what ' +
      'cannot be is kept as a dead letter. What comes twice changes nothing.',
  })
  @ApiHeader({
    name: 'X-Hub-Signature-256',
    required: false,
    schema: { type: 'string' },
    description: '`sha256=` and the HMAC-SHA-256 of the body in hexadecimal digits',
  })
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiSuccess({ description: 'It is committed.' })
  @ApiFailures('SIGNATURE_INVALID')
  async receive(@Req() request: Request): Promise<Success<null>> {
    await this.edge.receive(request);
    return success('Taken in.', null);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
