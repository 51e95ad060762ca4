import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { Log } from '../../infra/observability/log.js';
import { EveryoneAgents, type FoundNumber } from '../tenants/everyone-agents.js';
import { parseObject } from './webhook-edge.js';
import { WebhookInbox } from './webhook-inbox.js';

/** Recorded webhook bodies that are there from the start: for trying things out. */
@Injectable()
export class SamplePayloads implements OnApplicationBootstrap {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly inbox: WebhookInbox,
    private readonly everyone: EveryoneAgents,
    private readonly log: Log,
  ) {}

  /** Takes in what lies in `SAMPLE_PAYLOADS_DIR`, in the order of the names. What is broken is reported and skipped. */
  async onApplicationBootstrap(): Promise<void> {
    const folder = this.config.whatsapp.samplesDir;
    if (folder === undefined || this.config.role === 'worker') return;
    let taken = 0;
    for (const name of await this.listFiles(folder)) {
      try {
        if (await this.takeIn(await readFile(path.join(folder, name)))) taken++;
      } catch (error) {
        this.log.warn({ err: error, file: name }, 'a sample could not be taken in: it is skipped');
      }
    }
    this.log.info({ folder, taken }, 'samples are taken in');
  }

  /**
   * Takes one body in through the webhook's own path, and resolves when it is applied; the same bytes a second time
   * change nothing. Outside production, a number that nobody registered gets a tenant whose agents are everybody.
   *
   * @returns whether it is new
   * @throws AppError MALFORMED_JSON, VALIDATION_FAILED for what is no JSON object
   */
  async takeIn(bytes: Buffer): Promise<boolean> {
    const body = parseObject(bytes);
    if (!this.config.production) {
      for (const number of numbersIn(body)) await this.everyone.ensureTenant(number);
    }
    return this.inbox.takeSample(bytes, body);
  }

  private async listFiles(folder: string): Promise<string[]> {
    try {
      return (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
    } catch (error) {
      this.log.warn({ err: error, folder }, 'SAMPLE_PAYLOADS_DIR cannot be read');
      return [];
    }
  }
}

/** The business numbers that a body is about, wherever it names them. */
function numbersIn(body: unknown): FoundNumber[] {
  if (typeof body !== 'object' || body === null) return [];
  const { phone_number_id: phoneNumberId, display_phone_number: display } = body as Record<string, unknown>;
  if (typeof phoneNumberId === 'string' && /^\d{1,32}$/.test(phoneNumberId)) {
    return [
      { phoneNumberId, displayPhoneNumber: typeof display === 'string' ? display : null, wabaId: null },
    ];
  }
  return Object.values(body).flatMap(numbersIn);
}
