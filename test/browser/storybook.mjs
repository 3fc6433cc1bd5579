// Serves the pages that the storybook test wrote into a directory.
import { createServer } from 'node:http';
import { readFile, readdir } from 'node:fs/promises';
import { join, normalize } from 'node:path';

const types = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', woff2: 'font/woff2', html: 'text/html; charset=utf-8' };

// serve serves the files of a directory until close is called.
export async function serve(pages) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    try {
      const body = await readFile(join(pages, path));
      response.setHeader('Content-Type', types[path.split('.').pop()] ?? 'application/octet-stream').end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { base: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

// stories returns the names of the pages in a directory.
export async function stories(pages) {
  return (await readdir(pages)).filter((name) => name.endsWith('.html')).map((name) => name.slice(0, -5)).sort();
}
