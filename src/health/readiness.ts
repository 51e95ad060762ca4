import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

/** Whether a load balancer should send requests here: not while draining, nor without the database. */
@Injectable()
export class Readiness {
  private draining = false;

  constructor(private readonly database: Database) {}

  startDraining(): void {
    this.draining = true;
  }

  async isReady(): Promise<boolean> {
    return !this.draining && (await this.database.isReachable());
  }
}
