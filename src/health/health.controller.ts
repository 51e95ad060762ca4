import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiProperty, ApiTags } from '@nestjs/swagger';
import { AppError } from '../common/errors.js';
import { Public } from '../infra/http/decorators.js';
import { ApiFailures } from '../infra/http/openapi.js';
import { Metrics } from '../infra/observability/metrics.js';
import { Readiness } from './readiness.js';

class HealthBody {
  @ApiProperty({ enum: [true] })
  ok: true;
}

const HEALTHY: HealthBody = { ok: true };

/** For load balancers, orchestrators and Prometheus: no envelope. */
@ApiTags('Operations')
@Public()
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The address itself: programs get the health of the server' })
  @ApiOkResponse({ type: HealthBody, description: 'The server runs.' })
  root(): HealthBody {
    return HEALTHY;
  }

  @Get('health')
  @ApiOperation({ summary: 'The process answers' })
  @ApiOkResponse({ type: HealthBody, description: 'The server runs.' })
  health(): HealthBody {
    return HEALTHY;
  }

  @Get('health/live')
  @ApiOperation({ summary: 'The process answers: restart it when this fails' })
  @ApiOkResponse({ type: HealthBody, description: 'The process lives.' })
  live(): HealthBody {
    return HEALTHY;
  }

  @Get('health/ready')
  @ApiOperation({ summary: 'Send requests here only while this answers 200' })
  @ApiOkResponse({ type: HealthBody, description: 'Ready for requests.' })
  @ApiFailures('NOT_READY')
  async ready(): Promise<HealthBody> {
    if (!(await this.readiness.isReady())) throw new AppError('NOT_READY');
    return HEALTHY;
  }

  @Get('metrics')
  @ApiOperation({ summary: 'Metrics in Prometheus’ text format' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ schema: { type: 'string' }, description: 'Metrics.' })
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  async scrape(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}
