import type { Request, RequestHandler } from 'express';
import { sendError } from '../../infra/http/exception.filter.js';
import type { Log } from '../../infra/observability/log.js';
import type { WebhookController } from './webhook.controller.js';

/** As the router takes them: with a slash at the end or without. */
const PATHS = /^(?:\/whatsapp)?\/webhook\/?(?:\?|$)/;
/** As metrics name it. */
const ROUTE = { path: '/whatsapp/webhook' };

/**
 * Serves Meta's deliveries ahead of the layers that are there for people's clients: those read bodies, and together cost
 * more than taking a delivery in. What is served, and described, stands in the controller.
 */
export class WebhookFront {
  private controller: WebhookController | undefined;

  constructor(private readonly log: Log) {}

  /** From now on; before, and in a process that never calls this, requests go on to the layers behind. */
  open(controller: WebhookController): void {
    this.controller = controller;
  }

  readonly serve: RequestHandler = (request, response, next) => {
    if (!this.controller || request.method !== 'POST' || !isWebhook(request)) {
      next();
      return;
    }
    (request as { route: unknown }).route = ROUTE;
    request.isRoutine = true;
    response.setHeader('X-Content-Type-Options', 'nosniff');
    this.controller.receive(request).then(
      (answer) => {
        response.setHeader('Content-Type', 'application/json; charset=utf-8');
        response.end(JSON.stringify(answer));
      },
      (error: unknown) => {
        if (!request.complete) response.setHeader('Connection', 'close');
        sendError(error, request, response, this.log);
      },
    );
  };
}

/** Whether it is one of the paths, with a query or without. */
function isWebhook({ url }: Request): boolean {
  return PATHS.test(url);
}
