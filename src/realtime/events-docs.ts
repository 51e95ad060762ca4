import type { INestApplication } from '@nestjs/common';
import type { Request, Response } from 'express';
import { buildEventsDocument, type EventsDocument } from './events-document.js';
import { renderEventsPage } from './events-page.js';

/** Serves `/docs/events`: to a browser a page, to any other client the AsyncAPI document. */
export function serveEventsDocument(app: INestApplication, version: string): void {
  let document: EventsDocument | undefined;
  app.getHttpAdapter().get('/docs/events', (request: Request, response: Response) => {
    document ??= buildEventsDocument(app, version);
    response.vary('Accept');
    // In this order: who accepts anything is a program.
    if (request.accepts(['json', 'html']) === 'html') response.type('html').send(renderEventsPage(document));
    else response.json(document);
  });
}
