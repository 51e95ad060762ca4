import { pipeline } from 'node:stream/promises';
import { Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { validationError } from '../common/errors.js';
import { BearerOptional, CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import type { ReceivedUpload } from '../infra/http/form-reader.js';
import { Multipart, Upload } from '../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { UPLOAD_LIMITS } from './file-kinds.js';
import { contentDisposition } from './file-names.js';
import { MediaBody, MediaQuery } from './media.dto.js';
import { MediaService, type OpenedMedia } from './media.service.js';

/** A signed address stays the same for a day, and its bytes never change; ranges are of the bytes as they are. */
const CACHE_CONTROL = 'private, max-age=86400, immutable, no-transform';
const BINARY = { schema: { type: 'string', format: 'binary' } };
const BYTES = {
  'image/*': BINARY,
  'video/*': BINARY,
  'audio/*': BINARY,
  'text/*': BINARY,
  'application/*': BINARY,
};
/** What a browser may show in place; it must not be given anything that it would run. */
const SHOWN_IN_PLACE = /^(?:image\/(?!svg)|video\/|audio\/)/;
/** For whoever opens an attachment all the same. */
const NOTHING_RUNS = "default-src 'none'; sandbox";

@ApiTags('Media')
@ApiBearerAuth()
@Controller('api/media')
export class MediaController {
  constructor(private readonly media: MediaService) {}

  @Post()
  @RateLimit('uploads')
  @Multipart({ file: 'file', limits: UPLOAD_LIMITS, formOnly: true })
  @ApiOperation({
    summary: 'Uploads a file',
    description:
      'Its kind is that of its bytes: JPEG, PNG, WebP, GIF and AVIF are pictures (a WebP of 512 by 512 pixels with transparency is a sticker) and lose their metadata. What no message, profile or group uses within 24 hours is removed.',
  })
  @ApiSuccess({ status: 201, description: 'The stored file.', type: MediaBody })
  @ApiFailures('UNPROCESSABLE', 'MEDIA_INFECTED')
  async upload(
    @CurrentUser() me: Principal,
    @Upload() file: ReceivedUpload | undefined,
  ): Promise<Success<MediaBody>> {
    if (!file) throw validationError([{ field: 'file', message: 'must be a file' }]);
    const media = await this.media.upload(me.userId, file.path, file.name);
    return success('File stored.', media.view(me.userId));
  }

  @Get(':id')
  @BearerOptional()
  @ApiOperation({
    summary: 'The bytes of a medium',
    description:
      'A signed address (`url`, `thumbnailUrl`, `profilePic`) needs no header. Without its signature, a bearer who may see the medium is needed. Answers HEAD and ranges too.',
  })
  @ApiParam({ name: 'id', description: 'the id of the medium' })
  @ApiResponse({ status: 200, description: 'The whole file.', content: BYTES })
  @ApiResponse({ status: 206, description: 'The part that `Range` asks for.', content: BYTES })
  @ApiResponse({ status: 304, description: 'The copy that `If-None-Match` names is still good.' })
  @ApiResponse({
    status: 416,
    description: 'The file has no such part; `Content-Range` says how long it is.',
  })
  @ApiFailures('UNAUTHENTICATED', 'MEDIA_NOT_FOUND')
  async read(
    @Param('id') id: string,
    @Query() query: MediaQuery,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const media = await this.media.open(id, query, request.principal ?? null);
    if (namesThisCopy(request.headers['if-none-match'], media.etag)) {
      describeFile(media, response);
      response.status(304).end();
      return;
    }
    await send(media, request, response);
  }
}

/** Only for an answer that is the file: a refusal must not be cached like it. */
function describeFile(media: OpenedMedia, response: Response): void {
  response.setHeader('Cache-Control', CACHE_CONTROL);
  response.setHeader('ETag', media.etag);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  // Pages of the allowed origins show these bytes in an `<img>`, which knows no headers.
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
}

async function send(media: OpenedMedia, request: Request, response: Response): Promise<void> {
  const range = wantedRange(media, request);
  if (range === 'unsatisfiable') {
    response.status(416).setHeader('Content-Range', `bytes */${media.size}`).end();
    return;
  }
  const bytes = request.method === 'HEAD' ? null : await media.read(range);
  describeFile(media, response);
  response.setHeader('Content-Type', media.mimeType);
  const isShown = SHOWN_IN_PLACE.test(media.mimeType);
  response.setHeader(
    'Content-Disposition',
    contentDisposition(isShown ? 'inline' : 'attachment', media.fileName),
  );
  if (!isShown) response.setHeader('Content-Security-Policy', NOTHING_RUNS);
  if (range) {
    response.status(206).setHeader('Content-Range', `bytes ${range.start}-${range.end}/${media.size}`);
  }
  response.setHeader('Content-Length', range ? range.end - range.start + 1 : media.size);
  if (!bytes) {
    response.end();
    return;
  }
  try {
    await pipeline(bytes, response);
  } catch (error) {
    // A client that goes away ends the pipeline, and is no failure.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

/** One range at most: several, or one for another version of the file (`If-Range`), get the whole. */
function wantedRange(
  media: OpenedMedia,
  request: Request,
): { start: number; end: number } | undefined | 'unsatisfiable' {
  if (request.method !== 'GET') return undefined;
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== media.etag) return undefined;
  const ranges = request.range(media.size);
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === undefined || ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1)
    return undefined;
  return ranges[0];
}

function namesThisCopy(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch === '*' || ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
