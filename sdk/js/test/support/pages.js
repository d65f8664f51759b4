// A web server for the pages of the tests, with a Content-Security-Policy that a test chooses.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
};

/** The policy of Streamgate's own pages; `connect-src` names the API too. */
export const STRICT = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self' http://127.0.0.1:*",
    "media-src 'self' blob:",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
].join("; ");

/**
 * Serves files: `roots` maps the first part of a path to a directory, or a path to its text.
 *
 * @returns the address
 */
export async function servePages(test, roots, policy = STRICT) {
    const server = createServer(async (request, response) => {
        const path = request.url.split("?")[0];
        const [, root, ...rest] = path.split("/");
        const own = { "content-type": TYPES[extname(path)] || TYPES[".html"] };
        try {
            const body = roots[path] ?? (await readFile(new URL(rest.join("/"), roots[root])));
            response.writeHead(200, { ...own, "content-security-policy": policy }).end(body);
        } catch {
            response.writeHead(404).end();
        }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    test.after(() => {
        server.close();
        server.closeAllConnections();
    });
    return `http://127.0.0.1:${server.address().port}`;
}
