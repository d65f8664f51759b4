// A reverse proxy between player and server: it notes every request, and answers in place of the
// server where a test says so.

import { once } from "node:events";
import { createServer, request } from "node:http";

/** An answer that never comes: the connection is cut. */
export const CUT = Symbol("cut");

export class Proxy {
    /** Every request: `{ method, path, headers, at }`. */
    calls = [];
    /** Says what is answered to a request, if not what the server answers: a function. */
    answer = () => undefined;
    #open = new Set();

    static async start(test, target) {
        const proxy = new Proxy();
        const server = createServer((from, to) => proxy.#serve(from, to, target()));
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        proxy.url = `http://127.0.0.1:${server.address().port}`;
        test.after(() => {
            server.close();
            server.closeAllConnections();
        });
        return proxy;
    }

    /** The calls whose method and path match. */
    seen(pattern) {
        return this.calls.filter(({ method, path }) => pattern.test(`${method} ${path}`));
    }

    /** Cuts every connection that waits for an answer, or reads an event stream. */
    cut() {
        for (const response of this.#open) response.destroy();
    }

    async #serve(from, to, target) {
        const call = { method: from.method, path: from.url, headers: from.headers, at: Date.now() };
        this.calls.push(call);
        this.#open.add(to);
        to.on("close", () => this.#open.delete(to));
        const answer = this.answer(call, to);
        if (answer == CUT) return from.socket.destroy();
        if (answer) {
            const { status = 200, headers = {}, body } = answer;
            to.writeHead(status, { "access-control-allow-origin": "*", ...headers });
            // An event stream is written and ended by the test.
            if (body !== undefined) to.end(typeof body == "string" ? body : JSON.stringify(body));
            else to.flushHeaders();
            return;
        }
        const options = { method: from.method, headers: from.headers };
        const onward = request(target + from.url, options, (response) => {
            to.writeHead(response.statusCode, response.headers);
            response.pipe(to);
        });
        onward.on("error", () => to.destroy());
        to.on("close", () => onward.destroy());
        from.pipe(onward);
    }
}

/** One event of an event stream. */
export const event = (name, data) => `event: ${name}\nid: 1\ndata: ${JSON.stringify(data)}\n\n`;
