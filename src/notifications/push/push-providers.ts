import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../infra/config/config.js';
import type { PushTarget } from '../../devices/devices.service.js';
import { FcmProvider } from './fcm.provider.js';
import type { PushProvider } from './push-provider.js';
import { WebPushProvider } from './webpush.provider.js';

/** The push services that are configured. */
@Injectable()
export class PushProviders {
  private readonly providers = new Map<PushTarget['provider'], PushProvider>();

  constructor(@Inject(CONFIG) { push }: Config) {
    if (push.webpush) this.providers.set('webpush', new WebPushProvider(push.webpush));
    if (push.fcm) this.providers.set('fcm', new FcmProvider(push.fcm));
  }

  get any(): boolean {
    return this.providers.size > 0;
  }

  /** Null for one that is not configured, or not any more. */
  find(name: PushTarget['provider']): PushProvider | null {
    return this.providers.get(name) ?? null;
  }
}
