import { Injectable } from '@nestjs/common';
import { PrismaService } from '../infra/database/prisma.service.js';

/** The rows themselves belong to rate-limiter-flexible. */
@Injectable()
export class LoginLimitsRepository {
  constructor(private readonly prisma: PrismaService) {}

  async deleteExpired(nowMs: number): Promise<void> {
    await this.prisma.loginLimit.deleteMany({ where: { expire: { lt: nowMs } } });
  }
}
