import { pipeline } from 'node:stream/promises';
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { BearerOptional } from '../infra/http/decorators.js';
import { ApiFailures } from '../infra/http/openapi.js';
import { MediaQuery } from './media.dto.js';
import { MediaService, type OpenedMedia } from './media.service.js';

/** A signed address stays the same for a day, and its bytes never change. */
const CACHE_CONTROL = 'private, max-age=86400, immutable';
const BYTES = { 'image/*': { schema: { type: 'string', format: 'binary' } } };

@ApiTags('Media')
@ApiBearerAuth()
@Controller('api/media')
export class MediaController {
  constructor(private readonly media: MediaService) {}

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
